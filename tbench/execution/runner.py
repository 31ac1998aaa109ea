"""A run from first to last: machines, plan, jobs, store. The way every case takes.

resolve the device → lock it → look at the machine → plan → do job after job, saving as it goes
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tbench.errors import UsageError
from tbench.execution import plan as planning
from tbench.execution.prepare import Prepared, prepared
from tbench.execution.rounds import Stands, unknown
from tbench.execution.schedule import Here, Machines, carry_through
from tbench.execution.workplace import Job, Workplace
from tbench.listener import Listener
from tbench.records import Case, Environment, Measurement
from tbench.scenario import Scenario
from tbench.store import RunFolder
from tbench.threads import worker_threads

EXECUTORS = ("local", "ray")
CHECKPOINT_SECONDS = 1.0  # between two, where many groups are in flight


@dataclass(frozen=True)
class Where:
    """On which machines to measure. `executor`: `local` or `ray`. `address`: of a Ray cluster; None: the one this
    machine belongs to. `per_node`: groups that a node measures side by side on its CPU."""

    executor: str = "local"
    address: str | None = None
    per_node: int = 1

    def check(self) -> None:
        """Raises UsageError."""
        if self.executor not in EXECUTORS:
            raise UsageError(f"unknown executor {self.executor!r} (choose from {', '.join(EXECUTORS)})")
        if self.per_node < 1:
            raise UsageError(f"--per-node {self.per_node}: must be at least 1")
        if self.executor == "local" and (self.address is not None or self.per_node > 1):
            raise UsageError("--address and --per-node belong to a cluster: add --executor ray")


HERE = Where()


def run(
    scenario: Scenario,
    folder: Path,
    *,
    device: str,
    select: Sequence[str],
    seed: int,
    resume: bool,
    listener: Listener,
    where: Where = HERE,
    command: Sequence[str] = (),
    alone: bool = True,
    enough: Callable[[], bool] = lambda: False,
    standing: Callable[[Sequence[Case]], Stands] | None = None,
) -> None:
    """Measure `scenario` into `folder`. KeyboardInterrupt leaves everything up to the last whole round saved.

    `command`: the arguments that repeat the run, for the record. `alone`: hold the device; False where the caller does.
    `enough`: asked between groups; once it says so, what is being measured is finished and KeyboardInterrupt raised.
    `standing`: makes of all cases what tells whether enough has been measured of one, on this machine.
    """
    where.check()
    with machines(scenario, device, select, where, listener, alone, enough, standing) as (ready, places, known):
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
            **known,
        }
        with RunFolder.resume(folder, header) if resume else RunFolder.create(folder, header) as store:
            finished = store.finished()
            listener.start(sum(case.id not in finished for case in ready.cases), ready.predicted_seconds(finished))
            status = "interrupted"
            try:
                measure(ready, places, store, finished, seed, listener, enough)
                status = "complete"
            finally:
                listener.finish()
                store.finish(status)


@contextmanager
def machines(
    scenario: Scenario,
    device: str,
    select: Sequence[str],
    where: Where,
    listener: Listener,
    alone: bool,
    enough: Callable[[], bool],
    standing: Callable[[Sequence[Case]], Stands] | None,
) -> Iterator[tuple[Prepared, Machines, Mapping[str, Any]]]:
    """The plan, the machines to carry it out, and what run.json says of them beside the environment."""
    if where.executor == "ray":
        from tbench.execution.cluster import cluster  # Ray is an extra

        with cluster(scenario, device, select, where.address, where.per_node, listener) as (ready, nodes):
            yield ready, nodes, {"executor": "ray", "machines": nodes.described()}
        return
    with prepared(scenario, device, select, listener.warn, alone) as (ready, executor):
        stands = standing(ready.cases) if standing else unknown
        workplace = Workplace(executor, ready.environment, worker_threads(), stands=stands)
        here = Here(workplace, listener.update, enough)
        with closing(here):
            yield ready, here, {}


def measure(
    ready: Prepared,
    places: Machines,
    store: RunFolder,
    done: Mapping[str, Measurement],
    seed: int,
    listener: Listener,
    enough: Callable[[], bool] = lambda: False,
) -> None:
    """Measure what is not `done` (by identity) into the store, and save as it goes."""
    for row in ready.left_out:
        if row.case.id not in done:
            store.append(row)
        listener.done(row)
    jobs = [*groups(ready, store, done, seed), *experiments(ready, done, seed, places.at_once)]
    missing = {case.id for job in jobs for case in job.cases}
    in_flight: dict[Job, Sequence[Measurement]] = {}
    saved = float("-inf")
    for happened in carry_through(jobs, places, lambda job: listener.begin(job.cases), enough):
        if isinstance(happened, Environment):
            store.update(**places.changed(happened))
            continue
        job, event = happened
        if not event.finished:
            in_flight[job] = event.measurements
            if len(in_flight) == 1 or time.monotonic() - saved > CHECKPOINT_SECONDS:
                store.checkpoint([one for several in in_flight.values() for one in several])
                saved = time.monotonic()
            continue
        in_flight.pop(job, None)
        for measurement in event.measurements:
            old = done.get(measurement.case.id)
            if old is not None and old.turns == measurement.turns:
                continue
            if old is None and measurement.case.id not in missing:
                continue  # an experiment whose machine was lost after it, and which came again
            # A baseline that took turns with what was missing has more now: the last line counts.
            store.append(measurement)
            if old is None:
                missing.discard(measurement.case.id)
                listener.done(measurement)
    if missing:  # `enough`
        raise KeyboardInterrupt


def groups(ready: Prepared, store: RunFolder, done: Mapping[str, Measurement], seed: int) -> Iterator[Job]:
    """A job for every group that is not done, with what an interrupted run has of it, so that turns keep partners."""
    begun = {**store.unfinished(), **done}
    planned = set(ready.cases)
    for plan in ready.plans:
        for group in plan.groups:
            missing = tuple(case for case in group.cases if case.id not in done)
            if not missing:
                continue
            drafts = planning.drafts(group, plan, ready.baselines, planned)
            for case in group.cases:
                drafts[case].measurement = begun.get(case.id)
                drafts[case].stopped = begun[case.id].stopped if case.id in done else ""
            yield Job(missing, seed, group, drafts, plan.sampling, group.bytes)


def experiments(ready: Prepared, done: Mapping[str, Measurement], seed: int, at_once: int | None) -> Iterator[Job]:
    """Jobs of `at_once` experiments each, of all parts: all in one queue, or a core would stand idle at the end of
    every part."""
    todo = [case for plan in ready.plans for case in plan.experiments if case.id not in done]
    size = at_once or max(1, len(todo))
    for start in range(0, len(todo), size):
        yield Job(tuple(todo[start : start + size]), seed)
