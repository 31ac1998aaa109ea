"""A Ray cluster: which nodes there are, a process on each device of theirs, and what they send. The only file that
loads Ray.

Ray starts and ends processes, gives each a device of its own and carries the code; what is measured next is decided in
`schedule`, and how, in `workplace`, which runs on the node.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tbench.components import own
from tbench.errors import UsageError
from tbench.execution.member import Member, decoded, differences, versions
from tbench.execution.plan import MEMORY_SHARE
from tbench.execution.prepare import Prepared, has_own, planned, preloaded, shared_out
from tbench.execution.schedule import MOST_LOSSES, Ended, Lost
from tbench.execution.workplace import Event, Job, Step
from tbench.listener import Listener
from tbench.records import Environment
from tbench.scenario import Scenario
from tbench.store import jsonfile

LOOK_SECONDS = 2.0  # between two looks at which nodes there are
JOIN_SECONDS = 300.0  # for the first node: it imports torch and measures its peaks
ALONE_SECONDS = 600.0  # without any node, before the run ends
MOST_FAILURES = 2 * MOST_LOSSES  # in a row, on one device: more jobs lost than one that takes its machine down is
JOINING = 2  # as many failures is one to join
NOT_SENT = ["/.git/", "/results/", "/.venv/", "__pycache__/", "*.pyc", ".pytest_cache/", ".mypy_cache/"]


@dataclass(eq=False)
class Place:
    """One device of a node. `waiting_for`: what its process has been asked, before it takes its first job."""

    node: str
    number: int
    host: str
    lock: str
    actor: Any
    waiting_for: Any
    environment: Environment | None = None
    free_bytes: int = 0
    job: Job | None = None
    stream: Any = None
    checked: bool = False

    @property
    def idle(self) -> bool:
        return self.environment is not None and self.job is None


class Nodes:
    """The cluster's devices, as `schedule.Machines`. `home`: the scenario's folder below what travels."""

    def __init__(self, device: str, per_node: int, modules: Sequence[str], home: str | None, told: Listener) -> None:
        self.ray, self.told = library(), told
        self.device, self.per_node, self.modules, self.home = device, per_node, modules, home
        self.here = versions()
        self.places: list[Place] = []
        self.failures: Counter[tuple[str, int]] = Counter()  # in a row, by node and device
        self.refused: set[str] = set()
        self.hosts: dict[str, str] = {}  # the name of each node that was ever seen
        self.environments: dict[str, Environment] = {}
        self.last_look = float("-inf")
        self.alone_since: float | None = None
        self.member = self.ray.remote(max_restarts=0)(Member)

    # ------------------------------------------------------------------ what the scheduler asks

    @property
    def at_once(self) -> int | None:
        return max((one.environment.threads for one in self.places if one.environment), default=1)

    def idle(self) -> bool:
        return any(place.idle for place in self.places)

    def begin(self, job: Job) -> bool:
        most = max((place.free_bytes for place in self.places), default=0)
        for place in self.places:
            if place.idle and fits(job, place.free_bytes, most):
                place.job = job
                place.stream = place.actor.work.options(num_returns="streaming").remote(job)
                for case in job.cases:
                    self.told.update(case, place.host)
                return True
        return False

    def next(self) -> tuple[Job, Event | Ended | Lost] | Environment | None:
        """Raises UsageError where the cluster, or every node of it, has gone."""
        self.look()
        pending = {place.stream or place.waiting_for: place for place in self.places if not place.idle}
        if not pending:
            time.sleep(LOOK_SECONDS / 4)
            return None
        ready, _ = self.ray.wait([*pending], num_returns=1, timeout=LOOK_SECONDS)
        if not ready:
            return None
        place = pending[ready[0]]
        if place.job is None:
            return self.joined(place)
        job = place.job
        try:
            event = decoded(self.ray.get(next(place.stream)))
        except StopIteration:
            place.job = place.stream = None
            self.failures.pop((place.node, place.number), None)
            return job, Ended()
        except (self.ray.exceptions.RayError, ValueError) as problem:
            self.failed(place, problem)
            return job, Lost(f"{place.host}: {reason(problem)}")
        if isinstance(event, Environment):
            place.environment = event
        elif not event.finished:
            self.tell(place, event)
        return job, event

    def changed(self, environment: Environment) -> Mapping[str, Any]:
        self.environments |= {known(one): one.environment for one in self.places if one.environment}
        return {"machines": self.described()}

    def close(self) -> None:
        for place in self.places:
            with suppress(Exception):  # it may have gone with its node
                self.ray.kill(place.actor, no_restart=True)
        self.places.clear()

    # ------------------------------------------------------------------ the nodes

    def described(self) -> dict[str, Any]:
        """Every machine that has joined so far, by the name rows give it."""
        return {name: environment.to_dict() for name, environment in self.environments.items()}

    def look(self) -> None:
        """Start a process on every device that has none, and forget nodes that have gone."""
        now = time.monotonic()
        if now - self.last_look < LOOK_SECONDS:
            return
        self.last_look = now
        for node in self.ray.nodes():
            if not node["Alive"] or node["NodeID"] in self.refused:
                continue
            there = [place.number for place in self.places if place.node == node["NodeID"]]
            for number in range(self.devices(node["Resources"])):
                if number not in there and self.failures[node["NodeID"], number] < MOST_FAILURES:
                    self.start(node, number)
        if self.places:
            self.alone_since = None
        elif self.alone_since is None:
            self.alone_since = now
            self.told.warn("the cluster has no node to measure on now; waiting for one to join (Ctrl-C stops)")
        elif now - self.alone_since > ALONE_SECONDS:
            raise UsageError(
                f"no node has joined the cluster for {ALONE_SECONDS / 60:.0f} min; results so far are saved: continue "
                "with --resume"
            )

    def devices(self, resources: Mapping[str, float]) -> int:
        """Processes a node gets: one for each GPU, or `per_node` on its CPU. A node without CPUs gets none."""
        if self.device == "cuda":
            return int(resources.get("GPU", 0))
        return self.per_node if resources.get("CPU", 0) >= self.per_node else 0

    def start(self, node: Mapping[str, Any], number: int) -> None:
        identity, resources = node["NodeID"], node["Resources"]
        host = self.name(identity, node["NodeManagerHostname"])
        share = max(1, int(resources.get("CPU", 1)) // self.devices(resources))
        actor = self.member.options(
            num_cpus=share,  # all of them: nothing else of Ray's runs beside what is timed
            num_gpus=1 if self.device == "cuda" else 0,
            scheduling_strategy=self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                identity, soft=False
            ),
        ).remote(host, self.device, share, self.modules, self.per_node > 1, self.home)
        lock = f"cuda:{number}" if self.device == "cuda" else "cpu"
        self.places.append(Place(identity, number, host, lock, actor, actor.versions.remote()))

    def name(self, identity: str, hostname: str) -> str:
        """What rows call a node: its host's name, with a number where several nodes share one."""
        if identity not in self.hosts:
            alike = sum(name.partition("#")[0] == hostname for name in self.hosts.values())
            self.hosts[identity] = f"{hostname}#{alike + 1}" if alike else hostname
        return self.hosts[identity]

    def joined(self, place: Place) -> Environment | None:
        """A process has answered: refuse another version, else have it look at its machine, then give it jobs."""
        try:
            answer = self.ray.get(place.waiting_for)
            if not place.checked:
                if found := differences(self.here, answer):
                    self.refuse(place, f"{place.host} is refused: {found}; install the same versions there")
                    return None
                place.checked, place.waiting_for = True, place.actor.describe.remote(place.lock)
                return None
            data = jsonfile.loads(answer)
            environment, place.free_bytes = Environment.from_dict(data["environment"]), int(data["free_bytes"])
        except (self.ray.exceptions.RayError, ValueError, KeyError, TypeError) as problem:
            self.failed(place, problem, JOINING)
            return None
        for warning in environment.warnings:
            self.told.warn(f"{place.host}: {warning}")
        place.environment, place.waiting_for = environment, None
        self.environments[known(place)] = environment
        return environment

    def refuse(self, place: Place, sentence: str) -> None:
        if place.node not in self.refused:
            self.told.warn(sentence)
        self.refused.add(place.node)
        self.lose(place)

    def failed(self, place: Place, problem: BaseException, failures: int = 1) -> None:
        """A process has gone; another is started in its place, unless too many have."""
        self.lose(place)
        self.failures[place.node, place.number] += failures
        if self.failures[place.node, place.number] >= MOST_FAILURES:
            self.told.warn(f"{place.host} is not used any more: {reason(problem)}")

    def lose(self, place: Place) -> None:
        with suppress(Exception):
            self.ray.kill(place.actor, no_restart=True)
        self.places = [one for one in self.places if one is not place]
        self.last_look = float("-inf")

    def tell(self, place: Place, step: Step) -> None:
        for one in step.measurements:
            rounds = 1 + max((turn.round for turn in one.turns), default=-1)
            self.told.update(one.case, f"{place.host}: round {rounds}")

    def first(self) -> Place:
        """The place with the most memory, once every node that is there now has answered. Raises UsageError."""
        ends = time.monotonic() + JOIN_SECONDS
        while time.monotonic() < ends:
            self.look()
            if self.places and not any(place.waiting_for for place in self.places):
                return max(self.places, key=lambda place: place.free_bytes)
            if not self.places:
                break
            self.next()
        if able := [place for place in self.places if place.environment]:
            return max(able, key=lambda place: place.free_bytes)
        what = "GPU" if self.device == "cuda" else "CPU"
        raise UsageError(f"no node of the cluster can measure on a {what}: see the warnings above, and `ray status`")


def fits(job: Job, free_bytes: int, most: int) -> bool:
    """Whether a job fits on a node with so many free bytes; on the largest node there is, whatever it needs."""
    return free_bytes >= most or free_bytes * MEMORY_SHARE >= job.bytes


def known(place: Place) -> str:
    """The key of a machine in run.json: as its rows have it."""
    assert place.environment is not None
    return f"{place.host} {place.environment.device_name}"


def reason(problem: BaseException) -> str:
    """One line of an error that Ray reports in many."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return (lines[-1] if lines and "Task" in type(problem).__name__ else lines[0] if lines else "")[:300] or "gone"


@contextmanager
def cluster(
    scenario: Scenario,
    device: str,
    select: Sequence[str],
    address: str | None,
    per_node: int,
    told: Listener,
) -> Iterator[tuple[Prepared, Nodes]]:
    """Connect to a cluster and plan `scenario` for its nodes; their work ends with the block. Raises UsageError."""
    asked = device.strip().lower()
    if asked not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device {device}: a cluster hands out its devices itself; write auto, cpu or cuda")
    cases = [point.on("cpu") for part in scenario.anywhere() for point in part.points]
    root = own.roots(scenario.folder)[-1] if has_own(cases) else None
    ray = connected(address, root)
    nodes: Nodes | None = None
    try:
        if asked == "auto":
            asked = "cuda" if ray.cluster_resources().get("GPU") else "cpu"
        home = None if root is None else os.path.relpath(scenario.folder, root)
        nodes = Nodes(asked, per_node, preloaded((scenario,)), home, told)
        shares = shared_out(scenario, "cuda:0" if asked == "cuda" else "cpu", select)
        largest = nodes.first()
        assert largest.environment is not None
        every = [case for _, compared in shares for case in compared]
        missing = dict(zip(every, ray.get(largest.actor.unsupported.remote(every)), strict=True))
        yield planned(shares, largest.environment, largest.free_bytes, missing.get, bool(scenario.parts)), nodes
    except ray.exceptions.RayError as problem:
        raise UsageError(
            f"the cluster does not answer: {reason(problem)}; results so far are saved: continue with --resume"
        ) from None
    finally:
        if nodes is not None:
            nodes.close()
        ray.shutdown()


def library() -> Any:
    """Ray. Raises UsageError where it is not installed."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        return import_module("ray")
    except ImportError:
        raise UsageError("--executor ray needs Ray: pip install 'tbench[ray]'") from None


def connected(address: str | None, root: Path | None) -> Any:
    """Ray, connected; `root`: a folder whose code travels to the nodes. Raises UsageError."""
    ray = library()
    if address is not None and "://" in address:
        raise UsageError(
            f"--address {address}: write HOST:PORT, on a machine of the cluster; from elsewhere use `ray job submit`"
        )
    ours = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    travels = {} if root is None else {"runtime_env": {"working_dir": str(root), "excludes": NOT_SENT}}
    try:
        ray.init(address=address or "auto", log_to_driver=False, logging_level=logging.ERROR, **travels)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as problem:
        told = reason(problem)
        raise UsageError(
            f"cannot use the Ray cluster{f' at {address}' if address else ''}: {told}; start one with "
            "`ray start --head`, or name one with --address HOST:PORT"
        ) from None
    finally:
        for number, handler in ours.items():  # Ray has put in one of its own, which would lose what is in flight
            with suppress(ValueError):  # not the main thread
                signal.signal(number, handler)
    return ray
