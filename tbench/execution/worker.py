"""What runs inside a worker process: one case, set up, checked, timed and weighed on request.

The parent asks for a method of `Session` by name and gets its return value, or a status with a reason. This is
the only place where an exception of a variant becomes a row of the table.
"""

from __future__ import annotations

import os
import resource
import sys
import sysconfig
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tbench.catalog import get as get_component
from tbench.components import calling, own
from tbench.components.workload import Check, Malformed, Workload
from tbench.errors import TbenchError, Unsupported
from tbench.records import Again, Case, Ceilings, Environment, Handicap, Memory, Sampling, Status, Turn

if TYPE_CHECKING:
    from tbench.measure.scattering import Scattering


def preload() -> None:
    """Import in the server what every worker needs, without computing anything (that would start threads)."""
    import torch.nn.attention
    import torch.profiler  # noqa: F401

    from tbench.measure import ceilings, device, environment, memory, sampler  # noqa: F401


def serve(channel: Connection) -> None:
    """Answer requests until the parent closes the channel."""
    session = Session()
    while True:
        try:
            do, arguments = channel.recv()
        except (EOFError, ConnectionError):
            return
        try:
            answer: tuple[Any, ...] = ("done", getattr(session, do)(**arguments))
        except BaseException as problem:
            answer = ("failed", *describe(problem))
        with suppress(BrokenPipeError):
            channel.send(answer)


BURDEN_CALLS = 4  # at a time: the second and later ones follow work, as in a visit


class WrongOutput(Exception):
    """The variant's result disagrees with the oracle."""


class Session:
    """One case in one process. `prepare` comes first, then turns, then `finish`."""

    def __init__(self) -> None:
        from tbench.measure.environment import pin_threads

        self.costs: dict[str, float] = {}
        self.threads = pin_threads()
        self.scattering: Scattering | None = None
        self.workload: Workload

    # ------------------------------------------------------------------ the case

    def look_in(self, folder: str, installed_first: bool = False) -> None:
        """Find kernels of the user's own in a scenario's folder, and modules in the repository around it."""
        own.look_in(folder, installed_first)

    def scatter(self) -> None:
        """Lay this process's memory out a little differently than another's of the same server."""
        from tbench.measure import scattering

        self.scattering = scattering.drawn()

    def prepare(
        self,
        case: Case,
        sampling: Sampling,
        seed: int,
        memory_limit: int | None,
        first: bool,
        handicap: Handicap | None = None,
    ) -> dict[str, Any]:
        """Build the workload, check it on fresh data (first round), find the batch size and warm up."""
        from tbench.measure import device, sampler

        self.device = device.open_device(case.device)
        if memory_limit is not None and case.device == "cpu":
            limit_memory(memory_limit)
        self.sampling = sampling
        with self.spending("setup"):
            self.workload = built(case, seed)
            if handicap is not None:
                self.workload.call = handicapped(self.workload.call, handicap, case.device)
        with self.spending("first_call"):
            self.workload.call()
            self.device.synchronize()
        check = self.check(seed + 1) if first else None
        with self.spending("warmup"):
            began = time.perf_counter()
            self.calls = sampler.calibrate(self.device, self.workload.call, sampling)
            remaining = sampling.warmup - (time.perf_counter() - began)
            if remaining > 0:  # a slow call has warmed up by being timed once
                sampler.warm_up(self.device, self.workload.call, remaining)
        self.released = self.device.release()
        return {
            "ran": self.workload.ran,
            "notes": self.workload.notes,
            "error": check and check.error,
            "error_limit": check and check.limit,
        }

    def turn(self, round: int, turn: int, seconds: float) -> Turn:
        """Samples for `seconds` (at least one), after a short warm-up: others had the machine since."""
        from tbench.measure import sampler, scattering

        began = time.perf_counter()
        if self.released:  # a slow call may be a turn's only one: it shall not be the one that takes the memory back
            self.workload.call()
            self.device.synchronize()
        samples = scattering.below(
            self.scattering.depth if self.scattering else 0,
            lambda: sampler.take_turn(self.device, self.workload.call, self.calls, seconds, self.sampling),
        )
        beside = time.perf_counter() - began - sum(samples.seconds) * self.calls
        self.costs["warmup"] = self.costs.get("warmup", 0.0) + beside
        layers = self.workload.layers
        self.released = self.device.release()
        return Turn(
            round,
            turn,
            self.calls * layers,
            tuple(second / layers for second in samples.seconds),
            tuple(second / layers for second in samples.host_seconds),
            samples.telemetry,
        )

    def sources_of(self, case: Case, seed: int) -> tuple[str | None, list[str], list[str]]:
        """The file that names the case's own kernel, every file that setting it up and one call have imported, and the
        folders of this interpreter's own libraries."""
        named = own.source(get_component(case.component).variant_of(case).place)
        self.workload = built(case, seed)
        self.workload.call()
        files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        imported = [file for file in files if file and Path(file).is_absolute()]  # torch.ops says `_ops.py`
        return named, imported, [sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]

    def unsupported(self, cases: Sequence[Case]) -> list[str | None]:
        """Why cases cannot run with the packages that are installed here, as far as it can be told without trying."""
        return [get_component(case.component).unsupported(case) for case in cases]

    def burden(self, case: Case, shares: Sequence[float], seed: int) -> list[int]:
        """How many small operations take these shares of a call's time here."""
        from tbench.measure import device, sampler
        from tbench.measure.handicap import repeats

        self.device = device.open_device(case.device)
        self.workload = built(case, seed)
        call = self.workload.call
        sampler.warm_up(self.device, call, 0.2)
        calls = sampler.calibrate(self.device, call, Sampling())
        return repeats(self.device, call, max(calls, BURDEN_CALLS), shares)

    def finish(self, seed: int, weigh: bool) -> dict[str, Any]:
        """Check again, on other fresh data, and weigh memory if asked (a pass of its own, never timed)."""
        check = self.check(seed)
        memory: Memory | None = None
        if weigh:
            from tbench.measure import memory as scales

            with self.spending("memory"):
                memory = scales.peak(self.device, self.workload)
        return {
            "error": check.error,
            "error_limit": check.limit,
            "memory": memory,
            "costs": self.costs,
        }

    def check(self, seed: int) -> Check:
        """Compare with the oracle on data made from `seed`; raises WrongOutput."""
        with self.spending("check"):
            check = self.workload.check(seed)
        if not check.passed:
            found = f"differs from the float64 oracle by {check.error:.2g} (allowed {check.limit:.2g})"
            raise WrongOutput(f"{found} {check.detail}".rstrip())
        return check

    # ------------------------------------------------------------------ the machine

    def resolve(self, device: str) -> str:
        """`auto`, `cuda` … to the device that is meant; the error is text, for the parent to raise."""
        from tbench.measure.device import resolve

        return resolve(device)

    def environment(self, device: str) -> Environment:
        from tbench.measure.environment import capture

        return capture(device)

    def ceilings(self, device: str, again: Again) -> Ceilings:
        from tbench.measure.ceilings import load_or_measure

        return load_or_measure(device, again)

    def free_bytes(self, device: str) -> int:
        from tbench.measure.device import open_device

        return open_device(device).free_bytes()

    def probe(self, case: Case, seed: int) -> str:
        """Set the case up and run it once; returns what ran. Raises what a run would raise."""
        component = get_component(case.component)
        if component.experiment:
            return component.variant_of(case).name  # nothing smaller than the experiment itself would prove more
        self.workload = built(case, seed)
        self.workload.call()
        self.check(seed)
        return self.workload.ran

    def experiment(self, case: Case, seed: int) -> dict[str, Any]:
        """Carry out an experiment, on one core of a CPU: others run beside it."""
        import torch

        experiment = get_component(case.component).variant_of(case).factory
        if case.device == "cpu":
            torch.set_num_threads(1)
        with self.spending("experiment"):
            findings = dict(experiment(case, seed))
        return {"findings": findings, "costs": self.costs}

    def spending(self, name: str) -> Spending:
        return Spending(self.costs, name)


def built(case: Case, seed: int) -> Workload:
    """The case, set up."""
    workload = get_component(case.component).workload
    assert workload is not None
    made: Workload = workload(case, seed)
    return made


def handicapped(call: Callable[[], Any], handicap: Handicap, device: str) -> Callable[[], Any]:
    from tbench.measure.handicap import burdened

    return burdened(call, handicap, device)


class Spending:
    """Adds the wall time of a block to `costs[name]`."""

    def __init__(self, costs: dict[str, float], name: str) -> None:
        self.costs, self.name = costs, name

    def __enter__(self) -> None:
        self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.costs[self.name] = self.costs.get(self.name, 0.0) + time.perf_counter() - self.start


def limit_memory(budget: int) -> None:
    """Let an allocation beyond `budget` bytes fail with an error instead of dragging the machine down."""
    data_pages = int(Path("/proc/self/statm").read_text().split()[5])
    limit = data_pages * resource.getpagesize() + budget
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def describe(problem: BaseException) -> tuple[Status, str]:
    """Status and reason for what went wrong in a variant."""
    import torch

    if isinstance(problem, Unsupported):
        return "unsupported", str(problem)
    if isinstance(problem, WrongOutput | Malformed):
        return "wrong", str(problem)
    said = first_line(problem)
    if isinstance(problem, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(problem):
        return "oom", f"out of memory: {said}"
    if isinstance(problem, TbenchError):
        return "error", str(problem)
    return "error", f"{type(problem).__name__}: {said}{where(problem)}{calling.remark(problem)}"


def first_line(problem: BaseException) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return lines[0][:300] if lines else "no message"


def where(problem: BaseException) -> str:
    """` (file:line)` of the innermost frame outside installed packages."""
    frames = traceback.extract_tb(problem.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith((sys.prefix, sys.base_prefix, "<"))]
    if not own:
        return ""
    return f" ({os.path.relpath(own[-1].filename)}:{own[-1].lineno})"
