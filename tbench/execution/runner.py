"""A run from first to last: machine, plan, groups, store. The way every case takes.

resolve the device → lock it → look at the machine → plan → measure group after group, saving as it goes
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tbench.analysis.derive import implausible
from tbench.catalog import get as get_component
from tbench.errors import UsageError
from tbench.execution import plan as planning
from tbench.execution.executor import At, Executor, WorkerFailed
from tbench.execution.experiments import carry_out
from tbench.execution.local import LocalExecutor
from tbench.execution.lock import device_lock
from tbench.execution.plan import Plan
from tbench.execution.rounds import Stands, measure_group
from tbench.listener import Listener
from tbench.measure.machine import free_memory_bytes
from tbench.measure.nvml import EXCLUSIVE_PROCESS
from tbench.records import Again, Case, Ceilings, Environment, Measurement
from tbench.scenario import Scenario, by_part
from tbench.store import RunFolder
from tbench.threads import worker_threads

CEILINGS_SECONDS = 120.0
FOR_GRADIENTS = "torch.fx.experimental.symbolic_shapes"  # a process's first gradient imports it: half a second
UNKNOWN: Stands = lambda case, measured, looks: None  # noqa: E731
EXECUTORS: dict[str, Callable[..., LocalExecutor]] = {"local": LocalExecutor}


class Machine:
    """Questions to the machine that need torch, each answered by a worker process of its own."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def ask(self, do: str, timeout: float = 60.0, **arguments: Any) -> Any:
        worker = self.executor.start()
        try:
            return worker.ask(do, timeout, **arguments)
        except WorkerFailed as failure:
            raise UsageError(f"this machine cannot be examined ({do}): {failure.reason}") from None
        finally:
            worker.close()

    def resolve(self, device: str) -> str:
        if device.strip().lower() == "cpu":
            return "cpu"  # torch, which is still being imported, need not be asked
        return str(self.ask("resolve", device=device))

    def environment(self, device: str) -> Environment:
        environment: Environment = self.ask("environment", device=device)
        return replace(environment, ceilings=self.ceilings(device))

    def ceilings(self, device: str, again: Again = "") -> Ceilings:
        ceilings: Ceilings = self.ask("ceilings", CEILINGS_SECONDS, device=device, again=again)
        return ceilings

    def uuid(self, device: str) -> str | None:
        """What a GPU is called whatever the process may see of the others; None for a CPU."""
        return None if device == "cpu" else str(self.ask("uuid", device=device))

    def free_bytes(self, device: str) -> int:
        return free_memory_bytes() if device == "cpu" else int(self.ask("free_bytes", device=device))


@dataclass
class Prepared:
    """What is known before the first measurement: where, what, and what has been left out."""

    device: str
    environment: Environment
    plans: list[Plan]
    baselines: dict[Case, Case | None]  # of every case, in the scenario's order
    parts: dict[str, int]  # how many of them each part of a suite has, in the same order; empty without parts
    ceilings_raised: bool = False  # measured again in this run

    @property
    def left_out(self) -> list[Measurement]:
        return [row for plan in self.plans for row in plan.left_out]

    @property
    def cases(self) -> list[Case]:
        return [case for plan in self.plans for case in plan.cases]

    def predicted_seconds(self, done: Container[str] = ()) -> float | None:
        """Wall time of what is not done yet, roughly; None without ceilings."""
        seconds = [plan.predicted_seconds(case) for plan in self.plans for case in plan.cases if case.id not in done]
        known = [value for value in seconds if value is not None]
        return sum(known) if len(known) == len(seconds) else None


@contextmanager
def held(device: str, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold a device whose name is known; a GPU is asked for its UUID first."""
    if device == "cpu":
        uuid = None
    else:
        with LocalExecutor() as executor:
            uuid = Machine(executor).uuid(device)
    with device_lock(device, waiting, uuid=uuid):
        yield


@contextmanager
def prepared(
    scenario: Scenario,
    device: str,
    select: Sequence[str],
    executor_name: str,
    warn: Callable[[str], None],
    alone: bool = True,
) -> Iterator[tuple[Prepared, Executor]]:
    """Hold everything needed to measure `scenario`; `alone`: the device too, waiting for other runs to end."""
    if executor_name not in EXECUTORS:
        raise UsageError(f"unknown executor {executor_name!r} (choose from {', '.join(EXECUTORS)})")
    with EXECUTORS[executor_name](modules=preloaded([scenario]), templates=True) as executor:
        machine = Machine(executor)
        device = machine.resolve(device)
        # While torch is being imported; refuses a selection that leaves nothing, over all parts.
        shares = [
            (part, {case: part.baseline_case(case) for case in cases})
            for part, cases in by_part(scenario, device, select)
        ]
        with device_lock(device, warn, uuid=machine.uuid(device)) if alone else nullcontext():
            environment = machine.environment(device)
            for warning in environment.warnings:
                warn(warning)
            free = machine.free_bytes(device)
            baselines: dict[Case, Case | None] = {}
            plans = []
            for part, compared in shares:
                plans.append(
                    planning.make(
                        compared.items(),
                        part.sampling,
                        free,
                        environment.ceilings,
                        context_bytes=0 if device == "cpu" else planning.CONTEXT_BYTES,
                        exclusive=environment.compute_mode == EXCLUSIVE_PROCESS,
                    )
                )
                baselines |= compared
            counts = {part.name: len(compared) for part, compared in shares if scenario.parts}
            yield Prepared(device, environment, plans, baselines, counts), at_home(scenario, baselines, executor)


def at_home(scenario: Scenario, cases: Iterable[Case], executor: Executor) -> Executor:
    """Workers that find the scenario's own kernels, where these cases have some."""
    own = any(get_component(case.component).is_own(case) for case in cases)
    return At(executor, scenario.folder) if own else executor


def preloaded(scenarios: Sequence[Scenario]) -> tuple[str, ...]:
    """Modules that cases of these scenarios need, to be imported once, in the server, instead of in every worker.

    On whichever device: that is only known once torch is there.
    """
    wanted: dict[str, None] = {}
    parts = (part for scenario in scenarios for part in scenario.anywhere())
    for case in (point.on("cpu") for part in parts for point in part.points):
        wanted |= dict.fromkeys(get_component(case.component).variant_of(case).preload)
        if case.phase == "forward_backward":
            wanted[FOR_GRADIENTS] = None
    return tuple(wanted)


def run(
    scenario: Scenario,
    folder: Path,
    *,
    device: str,
    select: Sequence[str],
    seed: int,
    resume: bool,
    executor_name: str,
    listener: Listener,
    command: Sequence[str] = (),
    alone: bool = True,
    standing: Callable[[Sequence[Case]], Stands] | None = None,
) -> None:
    """Measure `scenario` into `folder`. KeyboardInterrupt leaves everything up to the last whole round saved.

    `command`: the arguments that repeat the run, for the record. `alone`: hold the device; False where the caller does.
    `standing`: makes of all cases what tells whether enough has been measured of one.
    """
    with prepared(scenario, device, select, executor_name, listener.warn, alone) as (ready, executor):
        header = {
            "scenario": scenario.on(ready.device).to_dict(),
            "environment": ready.environment.to_dict(),
            "device": ready.device,
            "select": list(select),
            "seed": seed,
            "command": list(command),
            "cases": [case.id for case in ready.baselines],
            **({"parts": ready.parts} if ready.parts else {}),
            "counts": {"planned": len(ready.cases) + len(ready.left_out)},
        }
        with RunFolder.resume(folder, header) if resume else RunFolder.create(folder, header) as store:
            finished = store.finished()
            listener.start(sum(case.id not in finished for case in ready.cases), ready.predicted_seconds(finished))
            status = "interrupted"
            try:
                stands = standing(ready.cases) if standing else UNKNOWN
                measure(ready, executor, store, finished, seed, listener, stands)
                status = "complete"
            finally:
                listener.finish()
                store.finish(status)


def measure(
    ready: Prepared,
    executor: Executor,
    store: RunFolder,
    done: Mapping[str, Measurement],
    seed: int,
    listener: Listener,
    stands: Stands,
) -> None:
    """Measure what is not `done` (by identity) into the store, and save as it goes."""
    for row in ready.left_out:
        if row.case.id not in done:
            store.append(row)
        listener.done(row)
    begun = {**store.unfinished(), **done}
    for plan in ready.plans:
        memory_limit = free_memory_bytes() if ready.device == "cpu" else None
        for group in plan.groups:
            if all(case.id in done for case in group.cases):
                continue
            drafts = planning.drafts(group, plan, ready.baselines)
            for case in group.cases:  # what a broken-off run has of them, so that turns keep their partners
                drafts[case].measurement = begun.get(case.id)
                drafts[case].stopped = begun[case.id].stopped if case.id in done else ""
            listener.begin([case for case in group.cases if case.id not in done])
            measured = measure_group(
                group,
                drafts,
                executor,
                plan.sampling,
                seed,
                memory_limit=memory_limit,
                update=listener.update,
                after_round=store.checkpoint,
                stands=stands,
            )
            for measurement in measured:
                old = done.get(measurement.case.id)
                if old is not None and old.turns == measurement.turns:
                    continue
                within_limits(measurement, ready, executor, store)
                # A baseline that took turns with what was missing has more now: the last line counts.
                store.append(measurement)
                if old is None:
                    listener.done(measurement)
    # All in one queue, or a core would stand idle at the end of every part.
    todo = [case for plan in ready.plans for case in plan.experiments if case.id not in done]
    listener.begin(todo)
    side_by_side = worker_threads() if ready.device == "cpu" else 1
    for finished in carry_out(todo, executor, seed, side_by_side, listener.update):
        store.append(finished)
        listener.done(finished)


def within_limits(measurement: Measurement, ready: Prepared, executor: Executor, store: RunFolder) -> None:
    """Measure the ceilings once more, once a run, where a row is faster than they allow.

    They may have been taken while others had the machine, or none of their ways was the best. The row stands as it is.
    """
    if ready.ceilings_raised or implausible(measurement, ready.environment.ceilings) is None:
        return
    ready.ceilings_raised = True
    try:
        ceilings = Machine(executor).ceilings(ready.device, "raise")
    except UsageError:
        return  # reports say that the row is above them
    ready.environment = replace(ready.environment, ceilings=ceilings)
    store.update(environment=ready.environment.to_dict())
