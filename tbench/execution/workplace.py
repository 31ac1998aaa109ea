"""One device of one machine: jobs are done there one after the other, and what they bring is handed out as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tbench.analysis.derive import implausible
from tbench.errors import UsageError
from tbench.execution.executor import Executor, WorkerFailed
from tbench.execution.experiments import carry_out
from tbench.execution.plan import MEMORY_SHARE, Draft, Group, share
from tbench.execution.rounds import Stands, in_rounds, result, unknown
from tbench.measure.machine import free_memory_bytes
from tbench.records import Again, Case, Ceilings, Environment, Measurement, Sampling

CEILINGS_SECONDS = 120.0


@dataclass(frozen=True, eq=False)
class Job:
    """What must be done on one machine: a comparison group, or experiments (`group` None), which are not timed.

    `cases`: those that still lack a result. `drafts`: of every case of the group, with what an interrupted run has of
    them. `bytes`: memory it needs, as predicted.
    """

    cases: tuple[Case, ...]
    seed: int
    group: Group | None = None
    drafts: Mapping[Case, Draft] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=Sampling)
    bytes: int = 0


@dataclass(frozen=True)
class Step:
    """What a job has brought so far; `finished`: these measurements are final, otherwise they are still in flight."""

    measurements: tuple[Measurement, ...]
    finished: bool


Event = Step | Environment  # an environment: the machine's description has changed


class Machine:
    """Questions to the machine that need torch, each answered by a worker process of its own."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def ask(self, do: str, timeout: float = 60.0, **arguments: Any) -> Any:
        try:
            worker = self.executor.start()
            try:
                return worker.ask(do, timeout, **arguments)
            finally:
                worker.close()
        except WorkerFailed as failure:
            raise UsageError(f"this machine cannot be examined ({do}): {failure.reason}") from None

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


class Workplace:
    """`executor`: starts the workers. `host`: named in every row; empty for this machine. `threads`: experiments that
    run side by side on a CPU. `stands`: whether enough has been measured of a case, as for `rounds.judge`.
    `free_bytes`: of the device; None where the plan was made for it."""

    def __init__(
        self,
        executor: Executor,
        environment: Environment,
        threads: int,
        host: str = "",
        stands: Stands = unknown,
        free_bytes: int | None = None,
    ) -> None:
        self.executor, self.environment, self.threads, self.host = executor, environment, threads, host
        self.stands, self.free_bytes = stands, free_bytes
        self.raised = False  # the ceilings have been measured again

    @property
    def on_cpu(self) -> bool:
        return self.environment.device == "cpu"

    def work(
        self,
        job: Job,
        update: Callable[[Case, str], None] = lambda case, state: None,
        enough: Callable[[], bool] = lambda: False,
    ) -> Iterator[Event]:
        """Do a job. Leaving early ends the processes that still run. `enough`: no further experiment is begun."""
        if job.group is None:
            side_by_side = self.threads if self.on_cpu else 1
            for one in carry_out(job.cases, self.executor, job.seed, side_by_side, update, enough):
                yield Step((self.signed(one),), finished=True)
            return
        drafts = {case: self.settled(draft, job) for case, draft in job.drafts.items()}
        rounds = in_rounds(
            job.group,
            drafts,
            self.executor,
            job.sampling,
            job.seed,
            memory_limit=free_memory_bytes() if self.on_cpu else None,
            update=update,
            stands=self.stands,
        )
        for so_far in rounds:
            yield Step(tuple(map(self.signed, so_far)), finished=False)
        measured = [self.signed(result(drafts[case])) for case in job.group.cases]
        if any(implausible(one, self.environment.ceilings) for one in measured) and self.raise_ceilings():
            yield self.environment
        yield Step(tuple(measured), finished=True)

    def signed(self, measurement: Measurement) -> Measurement:
        """With the machine it was measured on, where that may be one of many."""
        if not self.host:
            return measurement
        return replace(measurement, host=self.host, device_name=self.environment.device_name)

    def settled(self, draft: Draft, job: Job) -> Draft:
        """A draft of its own (the job's stays as it is, and small), with no more room than there is here, and without
        turns that were taken elsewhere: what is compared is measured on one machine."""
        room, old = draft.room, draft.measurement
        if self.free_bytes is not None and room is not None:
            room = min(room, share(int(self.free_bytes * MEMORY_SHARE), job.bytes, len(job.drafts)))
        if old is None or not self.host or (old.host, old.device_name) == (self.host, self.environment.device_name):
            return replace(draft, room=room)
        return replace(draft, room=room, measurement=None, stopped="")

    def raise_ceilings(self) -> bool:
        """Measure the ceilings once more, once a run: a row is faster than they allow, and stands as it is.

        They may have been taken while others had the machine, or none of their ways was the best.
        """
        if self.raised:
            return False
        self.raised = True
        try:
            ceilings = Machine(self.executor).ceilings(self.environment.device, "raise")
        except UsageError:
            return False  # reports say that the row is above them
        self.environment = replace(self.environment, ceilings=ceilings)
        return True
