"""The nodes of a cluster, on a Ray that is a list of nodes and of what was asked: who joins, who is refused, who gets
which job, and what is left when processes die."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from tbench.execution import cluster
from tbench.execution.cluster import MOST_FAILURES, Nodes
from tbench.execution.member import encoded, versions
from tbench.execution.schedule import MOST_LOSSES, carry_through
from tbench.execution.workplace import Job, Step
from tbench.listener import Listener
from tbench.records import Environment, Measurement
from tbench.store import jsonfile
from tests.execution.fakes import case
from tests.synthetic import ENVIRONMENT


class RayError(Exception):
    pass


@dataclass(eq=False)  # told apart, and kept in mappings, as what Ray hands out is
class Asked:
    """A question to a process: answered at once, by a value or an error."""

    answer: Callable[[], Any]


@dataclass
class FakeRay:
    """`machines`: host by node. `kills`: whether a job takes its process down. `speaks`: versions by host."""

    machines: dict[str, str]
    kills: Callable[[Job], bool] = lambda job: False
    speaks: dict[str, dict[str, str]] = field(default_factory=dict)
    resources: dict[str, float] = field(default_factory=lambda: {"CPU": 2.0})
    free: dict[str, int] = field(default_factory=dict)
    options: list[dict[str, Any]] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    ended: int = 0
    turn: int = 0

    exceptions = SimpleNamespace(RayError=RayError)
    util = SimpleNamespace(
        scheduling_strategies=SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: (node, soft))
    )

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"NodeID": node, "Alive": True, "Resources": self.resources, "NodeManagerHostname": host}
            for node, host in self.machines.items()
        ]

    def remote(self, **_: Any) -> Callable[[Any], Any]:
        return lambda member: SimpleNamespace(options=self.with_options)

    def with_options(self, **options: Any) -> Any:
        self.options.append(options)
        return SimpleNamespace(remote=lambda *given: self.actor(given[0]))

    def actor(self, host: str) -> Any:
        self.started.append(host)
        environment = replace(ENVIRONMENT, ceilings=None, device_name=f"{host}'s", warnings=())
        described = jsonfile.dumps({"environment": environment.to_dict(), "free_bytes": self.free.get(host, 10**9)})

        def work(job: Job) -> Iterator[Asked]:
            if self.kills(job):
                yield Asked(lambda: fail("the worker died"))
            rows = tuple(Measurement(one, "error", "done", host=host) for one in job.cases)
            yield Asked(lambda: encoded(Step(rows, finished=True)))

        return SimpleNamespace(
            versions=SimpleNamespace(remote=lambda: Asked(lambda: self.speaks.get(host, versions()))),
            describe=SimpleNamespace(remote=lambda lock: Asked(lambda: described)),
            work=SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda job: Stream(work(job)))),
        )

    def wait(self, pending: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        self.turn += 1  # each is ready in its turn
        return [pending[self.turn % len(pending)]], []

    def get(self, asked: Asked) -> Any:
        return asked.answer()

    def kill(self, actor: Any, no_restart: bool) -> None:
        self.ended += 1


class Stream:
    """What a job brings; hashable, as Ray's is."""

    def __init__(self, events: Iterator[Asked]) -> None:
        self.events = events

    def __next__(self) -> Asked:
        return next(self.events)


def fail(reason: str) -> Any:
    raise RayError(reason)


class Heard(Listener):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Nodes, Heard]]:
    monkeypatch.setattr(cluster, "LOOK_SECONDS", 0.0)

    def nodes(ray: FakeRay, device: str = "cpu", per_node: int = 1) -> tuple[Nodes, Heard]:
        monkeypatch.setattr(cluster, "library", lambda: ray)
        heard = Heard()
        return Nodes(device, per_node, (), None, heard), heard

    return nodes


def jobs(count: int, **more: Any) -> list[Job]:
    return [Job((case("naive", number),), 0, **more) for number in range(count)]


def carried(nodes: Nodes, todo: list[Job]) -> list[Measurement]:
    nodes.first()
    found = []
    for happened in carry_through(todo, nodes):
        if not isinstance(happened, Environment):
            found += happened[1].measurements
    return found


def test_every_node_has_a_process_that_names_it_and_numbers_tell_equal_hosts_apart(made: Any) -> None:
    ray = FakeRay({"a": "vm", "b": "vm", "c": "large"})
    nodes, _ = made(ray)
    assert len(carried(nodes, jobs(6))) == 6
    assert ray.started == ["vm", "vm#2", "large"]
    assert [one["scheduling_strategy"] for one in ray.options] == [("a", False), ("b", False), ("c", False)]
    assert {"vm vm's", "vm#2 vm#2's", "large large's"} == set(nodes.changed(ENVIRONMENT)["machines"])
    nodes.close()
    assert ray.ended == 3


def test_a_gpu_is_one_processs_and_a_cpu_is_shared_only_where_asked(made: Any) -> None:
    ray = FakeRay({"a": "box"}, resources={"CPU": 8.0, "GPU": 4.0})
    nodes, _ = made(ray, "cuda")
    nodes.first()
    assert [(one["num_gpus"], one["num_cpus"]) for one in ray.options] == [(1, 2)] * 4
    ray = FakeRay({"a": "box"}, resources={"CPU": 8.0})
    nodes, _ = made(ray, "cpu", per_node=2)
    nodes.first()
    assert [(one["num_gpus"], one["num_cpus"]) for one in ray.options] == [(0, 4)] * 2


def test_a_node_of_another_version_is_refused_with_the_difference_and_the_others_measure(made: Any) -> None:
    ray = FakeRay({"a": "old", "b": "new"}, speaks={"old": {**versions(), "torch": "1.0"}})
    nodes, heard = made(ray)
    assert {one.host for one in carried(nodes, jobs(3))} == {"new"}
    (warning,) = heard.warnings
    assert warning.startswith("old is refused: torch 1.0 there, ")
    assert ray.started.count("old") == 1


def test_a_job_that_kills_its_process_takes_no_node_with_it(made: Any) -> None:
    """One machine, a job that kills it as often as it may, and others after it."""
    todo = jobs(4)
    ray = FakeRay({"a": "only"}, kills=lambda job: job is todo[0])
    nodes, heard = made(ray)
    rows = carried(nodes, todo)
    assert len(rows) == 4
    assert sum("lost with its machine" in one.reason for one in rows) == 1
    assert heard.warnings == []
    assert ray.started == ["only"] * (1 + MOST_LOSSES)


def test_a_node_on_which_every_job_is_lost_is_not_used_any_more(made: Any) -> None:
    ray = FakeRay({"a": "bad", "b": "good"})
    nodes, heard = made(ray)
    bad: list[Job] = []

    def kills(job: Job) -> bool:
        there = next(place.host for place in nodes.places if place.job is job)
        bad.extend([job] if there == "bad" else [])
        return there == "bad"

    ray.kills = kills
    rows = carried(nodes, jobs(20))
    assert len(rows) == 20
    assert len(bad) <= MOST_FAILURES
    assert [one for one in heard.warnings if one.startswith("bad is not used any more: the worker died")]


def test_a_node_that_joins_later_gets_work(made: Any) -> None:
    ray = FakeRay({"a": "first"})
    nodes, _ = made(ray)

    def joins(job: Job) -> bool:
        ray.machines["b"] = "second"
        return False

    ray.kills = joins
    assert {one.host for one in carried(nodes, jobs(8))} == {"first", "second"}


def test_a_job_that_does_not_fit_waits_for_the_larger_node(made: Any) -> None:
    ray = FakeRay({"a": "small", "b": "large"}, free={"small": 10**6, "large": 10**9})
    nodes, _ = made(ray)
    assert {one.host for one in carried(nodes, jobs(4, bytes=10**8))} == {"large"}
