"""What runs inside a worker process: one case, set up, checked, timed and weighed on request.

The parent asks for a method of `Session` by name and gets its return value, or a status with a reason
(`execution.failures`).
"""

from __future__ import annotations

import math
import resource
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tbench.catalog import get as get_component
from tbench.components import own
from tbench.components.workload import Check, Expectation, Workload
from tbench.execution import sets as inputs
from tbench.execution.failures import WrongOutput, described, require_right
from tbench.execution.plan import minimum
from tbench.records import Again, Case, Ceilings, Energy, Environment, Injection, Memory, Sampling, Turn, Work

if TYPE_CHECKING:
    from tbench.measure.replay import Replayed
    from tbench.measure.scattering import Scattering


def preload() -> None:
    """Import in the server what every worker needs, without computing anything (that would start threads)."""
    import torch.nn.attention
    import torch.profiler  # noqa: F401

    from tbench.components import compare, data  # noqa: F401
    from tbench.measure import ahead, allocator, ceilings, device, environment, memory, sampler, state  # noqa: F401

    data.pool()


def for_gpus() -> bool:
    """Whether this PyTorch is built to use GPUs."""
    import torch

    return torch.version.cuda is not None or torch.version.hip is not None


def bad_fork() -> bool:
    """Whether this process cannot use a GPU, because the one it was forked from had started to."""
    import torch

    return bool(torch.cuda._is_in_bad_fork())


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
            answer = ("failed", *described(problem))
        with suppress(BrokenPipeError):
            channel.send(answer)


NOT_COLD = "not fully cold: not enough memory for inputs larger than the last-level cache; free some"
ROOM_SHARE = 8  # of free memory, one part may be further sets of inputs
SLOW = 1  # visits that a call alone takes
FRESH = 64  # sets for a kernel that writes over its inputs: a sample is one time round
INJECTION_CALLS = 4  # at a time: the second and later ones follow work, as in a visit


class Session:
    """One case in one process. `prepare` comes first, then turns, then `finish`."""

    def __init__(self) -> None:
        from tbench.measure import state
        from tbench.measure.environment import pin_threads

        self.costs: dict[str, float] = {}
        pin_threads()
        state.set_fp32_precision("ieee")  # for whatever is asked: peaks, proofs, training
        self.scattering: Scattering | None = None
        self.graph: Replayed | None = None
        self.workload: Workload
        self.expectation: Expectation
        self.error = 0.0
        self.fastest = math.inf  # seconds of a call
        self.remarks: list[str] = []

    # ------------------------------------------------------------------ the case

    def look_in(self, folder: str, installed_first: bool = False) -> None:
        """Find kernels of the user's own in a scenario's folder, and modules in the repository around it."""
        own.look_in(folder, installed_first)

    def warm(self, case: Case, call: bool, seed: int = 0) -> None:
        """Have what many workers of a case need in this process: its kernel's modules, and with `call` its code."""
        variant = get_component(case.component).variant_of(case)
        if variant.place:
            own.source(variant.place)
        if call:
            built(case, seed).calls[0]()

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
        injection: Injection | None = None,
        room: int | None = None,
        crowded: bool = False,
        expected: float | None = None,
    ) -> dict[str, Any]:
        """Build the workload, check it on fresh data (first round), find the batch size and warm up.

        `room`: bytes for sets of inputs beyond the first. `crowded`: memory that is only kept for later calls is given
        back between turns, for the processes beside this one need it. `expected`: seconds of a call, per layer, as
        other processes have timed it; what is slow need not be called to find that out.
        """
        from tbench.measure import ahead, sampler, state

        self.furnish(case, sampling, crowded)
        if case.device == "cpu" and memory_limit is not None:
            limit_memory(memory_limit)
        self.seed = seed
        work = minimum(case)
        if room is None:
            room = (memory_limit or self.device.free_bytes()) // ROOM_SHARE
        found = state.current()
        with self.spending("setup"):
            self.workload = self.built(case, seed, work, room, injection)
        with self.spending("first_call"):
            self.workload.calls[0]()
            self.device.synchronize()
        leaked = state.restore(found)
        if state.modes():
            raise WrongOutput("leaves a torch mode active that intercepts every operation of this process")
        if leaked:
            self.workload.calls = [state.restoring(call, found) for call in self.workload.calls]
            self.remarks.append(
                f"changes {', '.join(leaked)} without restoring it; restored after every call, within its time"
            )
        check = self.check(seed + 1) if first else None
        if self.workload.overwrites:
            self.workload = self.built(case, seed, work, room, injection, FRESH)
            self.workload.overwrites = True
            self.remarks.append("overwrites its inputs, as allowed; every timed call gets fresh ones")
        self.ring = sampler.Ring(self.workload.calls, self.workload.nudge, self.workload.overwrites)
        with self.spending("setup"):
            began = time.perf_counter()
            slow = max(SLOW * sampling.turn_time, self.device.sample_seconds)
            known = expected is not None and expected * self.workload.layers >= slow
            calls = 1 if known else sampler.calibrate(self.device, self.ring, sampling)
            spent = time.perf_counter() - began
            self.slow = known or (calls == 1 and spent >= slow)
            self.pace = ahead.Pace(self.device, self.ring, calls, sampling.launch)
            if not self.slow:
                self.pace.settle()
            self.weighed = self.workload
            if sampling.launch == "graph":
                self.capture()
        remaining = sampling.warmup - spent
        if remaining > 0 and not self.slow:  # a slow call has warmed up by being called once
            with self.spending("warmup"):
                sampler.warm_up(self.device, self.ring, remaining)
        self.released = self.device.release()
        self.device.rest()
        return {
            "ran": self.workload.ran,
            "notes": (*self.workload.notes, *self.remarks),
            "error": check and check.error,
            "error_limit": check and check.limit,
        }

    def furnish(self, case: Case, sampling: Sampling, crowded: bool = False) -> None:
        """Open the device under the conditions that `sampling` asks for."""
        from tbench.measure import allocator, device, state
        from tbench.measure.cuda import CudaDevice

        self.sampling = sampling
        self.device = device.open_device(case.device, crowded)
        if isinstance(self.device, CudaDevice):
            state.set_fp32_precision(sampling.fp32_precision)
            if sampling.launch == "graph":
                self.device.use_own_stream()
        if case.device == "cpu" and sampling.allocator == "kept":
            allocator.keep_freed_memory()
        know_threads(self.device)

    def built(
        self, case: Case, seed: int, work: Work, room: int, injection: Injection | None, sets: int | None = None
    ) -> Workload:
        """The case on several sets of inputs (`sets`, or as many as its caches want), as far as there is room."""
        cache_bytes = self.device.cache_bytes()
        fitting = inputs.count(work, case.phase, self.sampling, cache_bytes, room)
        if sets is not None:
            fitting = max(fitting, min(sets, inputs.at_most(work, room)))
        cold = self.sampling.cold(case.phase)
        if inputs.warm(work, case.phase, self.sampling, cache_bytes, fitting) and NOT_COLD not in self.remarks:
            self.remarks.append(NOT_COLD)
        workload = built(case, seed, fitting, cold)
        if injection is not None:
            workload.calls = [with_injection(call, injection, case.device) for call in workload.calls]
        return workload

    def capture(self) -> None:
        """Put a CUDA graph of the calls in their place. Raises Unsupported."""
        from tbench.measure import ahead, replay, sampler
        from tbench.measure.cuda import CudaDevice

        assert isinstance(self.device, CudaDevice)
        self.called_seconds = ahead.unqueued(self.device, self.ring, self.pace.calls).seconds / self.workload.layers
        self.graph = self.workload = replay.captured(self.device, self.workload, self.pace.calls)
        self.ring = sampler.Ring(self.workload.calls, self.workload.nudge)
        self.pace = ahead.Pace(self.device, self.ring, 1, "ahead")

    def turn(self, round: int, turn: int, seconds: float, witness: bool = False) -> Turn:
        """Samples for `seconds` (at least one), after a short warm-up: others had the machine since.

        `witness`: compare what a call of the timed sequence gives with the oracle; raises WrongOutput.
        """
        from tbench.measure import scattering

        began = time.perf_counter()
        checked = self.costs.get("check", 0.0)
        if self.released:  # a slow call may be a turn's only one: it shall not be the one that takes the memory back
            self.ring.take(1)()
            self.device.synchronize()
        samples = scattering.below(
            self.scattering.depth if self.scattering else 0,
            lambda: self.pace.turn(seconds, self if witness else None, self.slow, self.sampling.allocator == "kept"),
        )
        self.fastest = min(self.fastest, *samples.seconds)
        checked = self.costs.get("check", 0.0) - checked
        layers = self.workload.layers
        graph = self.graph is not None and samples.clock == "ahead"
        eager = samples.eager_seconds and samples.eager_seconds / layers
        self.released = self.device.release()
        self.device.rest()
        beside = time.perf_counter() - began - sum(samples.seconds) * samples.calls - checked
        self.costs["warmup"] = self.costs.get("warmup", 0.0) + beside
        return Turn(
            round,
            turn,
            samples.calls * layers,
            tuple(second / layers for second in samples.seconds),
            tuple(second / layers for second in samples.host_seconds),
            samples.telemetry,
            None if samples.faults is None else samples.faults / layers,
            clock="graph" if graph else samples.clock,
            why=samples.why,
            eager_seconds=self.called_seconds if graph else eager,
            sm_mhz=samples.sm_mhz,
        )

    def expect(self, index: int) -> None:
        """Give a set of inputs new contents, and work out what its next call should give."""
        self.seed += 1
        with self.spending("check"):
            self.expectation = self.workload.expect(index, self.seed)

    def compare(self, results: Any) -> None:
        """Compare what a call of the timed sequence gave, as it was the moment the call returned.

        Raises WrongOutput and Malformed.
        """
        results = results if isinstance(results, tuple) else (results,)
        copies = copied(results)
        with self.spending("check"):
            check = self.expectation.compare(copies)
            if not check.passed and self.expectation.compare(results).passed:
                raise WrongOutput("finishes its work after it has returned: the result was not there yet")
            if check.passed and not same(copies, results):  # what is not a number is never the same
                raise WrongOutput("changes its result after it has returned")
            self.expectation.done()
        self.error = max(self.error, check.error)
        require_right(check, " during the timed calls")

    def sources_of(self, case: Case, seed: int) -> tuple[str | None, list[str], list[str]]:
        """The file that names the case's own kernel, every file that setting it up and one call have imported, and the
        folders of this interpreter's own libraries."""
        named = own.source(get_component(case.component).variant_of(case).place)
        self.workload = built(case, seed)
        self.workload.calls[0]()
        files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        imported = [file for file in files if file and Path(file).is_absolute()]  # torch.ops says `_ops.py`
        return named, imported, [sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]

    def unsupported(self, cases: Sequence[Case]) -> list[str | None]:
        """Why cases cannot run with the packages that are installed here, as far as it can be told without trying."""
        return [get_component(case.component).unsupported(case) for case in cases]

    def calibrate_injection(self, case: Case, sampling: Sampling, shares: Sequence[float], seed: int) -> list[int]:
        """How many small operations take these shares of a call's time here, under the conditions it is timed under."""
        from tbench.measure import sampler
        from tbench.measure.injection import repeats_for

        self.furnish(case, sampling)
        room = self.device.free_bytes() // ROOM_SHARE
        self.workload = self.built(case, seed, minimum(case), room, None)
        ring = sampler.Ring(self.workload.calls)
        sampler.warm_up(self.device, ring, 0.2)
        calls = sampler.calibrate(self.device, ring, sampling)
        each = ring.take(1, nudge=False)  # of a call; every one uses the next set of inputs
        return repeats_for(self.device, each, max(calls, INJECTION_CALLS), shares)

    def finish(self, weigh: bool) -> dict[str, Any]:
        """See that a result was compared and that none is remembered; weigh memory if asked (a pass of its own)."""
        from tbench.measure import sampler

        if weigh or not hasattr(self, "expectation"):  # the first round; or the turn that was to do it was not taken
            sampler.take_turn(self.device, self.ring, self.pace.calls, 0.0, self)
        memory: Memory | None = None
        energy: Energy | None = None
        if weigh:
            from tbench.measure import energy as meter
            from tbench.measure import memory as scales

            with self.spending("memory"):
                memory = scales.peak(self.device, self.weighed)
            if self.graph is not None:
                memory = replace(memory, graph_bytes=self.graph.pool_bytes)
            if self.device.asynchronous:
                with self.spending("energy"):
                    energy = meter.measured(self.device, self.ring, self.fastest, self.workload.layers)
        with self.spending("check"):
            times = sampler.remembering(self.device, self.ring, self.pace.calls, self.fastest)
            if times is not None:
                raise WrongOutput(f"remembers its results: {times:.1f} times as fast on data it has just seen")
        return {
            "error": self.error,
            "memory": memory,
            "energy": energy,
            "costs": self.costs,
        }

    def check(self, seed: int) -> Check:
        """Compare with the oracle on hard data made from `seed`; raises WrongOutput."""
        from tbench.measure import state

        with self.spending("check"):
            found = state.current()
            check = self.workload.check(seed)
            state.restore(found)
        require_right(check)
        self.error = max(self.error, check.error)
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

    def uuid(self, device: str) -> str:
        import torch

        return str(torch.cuda.get_device_properties(device).uuid)

    def free_bytes(self, device: str) -> int:
        from tbench.measure.device import open_device

        return open_device(device).free_bytes()

    def probe(self, case: Case, seed: int) -> str:
        """Set the case up and run it once; returns what ran. Raises what a run would raise."""
        component = get_component(case.component)
        if component.experiment:
            return component.variant_of(case).name  # nothing smaller than the experiment itself would prove more
        self.workload = built(case, seed)
        self.workload.calls[0]()
        self.check(seed)
        return self.workload.ran

    def prove(self, case: Case, seed: int) -> dict[str, Any]:
        """`probe`, and on a GPU what runs there and whether calls can be queued ahead and captured. Raises as a run."""
        from tbench.measure import proving
        from tbench.measure.cuda import CudaDevice
        from tbench.measure.device import open_device

        device = open_device(case.device)
        if isinstance(device, CudaDevice):
            device.use_own_stream()
        ran = self.probe(case, seed)
        seen = proving.seen(device, self.workload) if isinstance(device, CudaDevice) else {}
        return {"ran": ran, "error": self.error, **seen}

    def profile(self, case: Case, sampling: Sampling, seed: int, trace: str) -> dict[str, Any]:
        """What calls of a case do under torch.profiler, after a check that they are right; see `measure.profiler`."""
        from tbench.measure import profiler

        self.furnish(case, sampling)
        self.workload = built(case, seed)
        self.check(seed + 1)
        cuda = case.device != "cpu"
        return profiler.profiled(self.workload.calls[0], self.device.synchronize, cuda, trace)

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


def built(case: Case, seed: int, sets: int = 1, apart: bool = False) -> Workload:
    """The case, set up on so many sets of inputs, each with parameters of its own if they are `apart`."""
    made: Workload = get_component(case.component).workload(case, seed, sets, apart)
    return made


def know_threads(device: Any) -> None:
    """Have PyTorch start its threads, so that those which a kernel starts can be told from them."""
    import torch

    if device.name == "cpu":
        torch.ones(2**18).sin_()  # large enough to be shared
        device.know_threads()


def copied(results: Sequence[Any]) -> tuple[Any, ...]:
    """Results as they are now."""
    from tbench.components.compare import own

    return tuple(own(x) for x in results)


def same(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Whether results are the same."""
    import torch

    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def with_injection(call: Callable[[], Any], injection: Injection, device: str) -> Callable[[], Any]:
    from tbench.measure.injection import injected

    return injected(call, injection, device)


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
