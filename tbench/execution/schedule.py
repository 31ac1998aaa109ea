"""Which job is done next, and what is done with it when its machine is lost. Knows neither processes nor networks.

One thread: machines are asked what has happened, and everything happens in their answers.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tbench.execution.workplace import Event, Job, Step, Workplace
from tbench.records import Case, Environment, Measurement

MOST_LOSSES = 3  # machines that one job may take down with it


@dataclass(frozen=True)
class Ended:
    """A job has brought everything it will."""


@dataclass(frozen=True)
class Lost:
    """A job's machine has gone; `reason` says how. What it had in flight is void: ratios are of one machine."""

    reason: str


class Machines(Protocol):
    """Where jobs are done: this machine, or the nodes of a cluster. `at_once`: experiments in one job; None: all."""

    @property
    def at_once(self) -> int | None: ...

    def begin(self, job: Job) -> bool:
        """Start a job on a free machine on which it fits; False where there is none now."""
        ...

    def idle(self) -> bool:
        """Whether a machine is free."""
        ...

    def next(self) -> tuple[Job, Event | Ended | Lost] | Environment | None:
        """Wait for what happens next: to a job; a machine that has joined; None: nothing of interest so far."""
        ...

    def changed(self, environment: Environment) -> Mapping[str, Any]:
        """Entries of run.json once a machine is described anew."""
        ...

    def close(self) -> None:
        """End all work, at once."""
        ...


class Here:
    """This machine: one job at a time. `update` hears what each case does."""

    at_once: int | None = None

    def __init__(
        self, workplace: Workplace, update: Callable[[Case, str], None], enough: Callable[[], bool] = lambda: False
    ) -> None:
        self.workplace, self.update, self.enough = workplace, update, enough
        self.job: Job | None = None
        self.events: Iterator[Event] = iter(())

    def idle(self) -> bool:
        return self.job is None

    def begin(self, job: Job) -> bool:
        if self.job is not None:
            return False
        self.job, self.events = job, self.workplace.work(job, self.update, self.enough)
        return True

    def next(self) -> tuple[Job, Event | Ended | Lost]:
        assert self.job is not None
        job, event = self.job, next(self.events, None)
        if event is None:
            self.job = None
            return job, Ended()
        return job, event

    def changed(self, environment: Environment) -> Mapping[str, Any]:
        return {"environment": environment.to_dict()}

    def close(self) -> None:
        close = getattr(self.events, "close", None)
        if close is not None:
            close()


def carry_through(
    jobs: Sequence[Job],
    machines: Machines,
    begun: Callable[[Job], None] = lambda job: None,
    enough: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Job, Step] | Environment]:
    """Every event of every job, as it comes. `begun`: hears of each job that starts.

    A job whose machine is lost is done again elsewhere; after `MOST_LOSSES` its cases are errors. `enough`: asked
    before a job is started; jobs that run then are finished, others are not begun.
    """
    waiting, running = deque(jobs), 0
    losses: Counter[int] = Counter()
    while running or (waiting and not enough()):
        while waiting and machines.idle() and not enough():
            fitting = next((job for job in waiting if machines.begin(job)), None)
            if fitting is None:
                break
            waiting.remove(fitting)
            running += 1
            begun(fitting)
        if not running and enough():
            break
        happened = machines.next()
        if happened is None:
            continue
        if isinstance(happened, Environment):
            yield happened
            continue
        job, event = happened
        if isinstance(event, Ended):
            running -= 1
        elif isinstance(event, Lost):
            running -= 1
            losses[id(job)] += 1
            if losses[id(job)] < MOST_LOSSES:
                waiting.appendleft(job)
            else:
                reason = f"lost with its machine {MOST_LOSSES} times, last: {event.reason}"
                yield job, Step(tuple(Measurement(case, "error", reason) for case in job.cases), finished=True)
        elif isinstance(event, Environment):
            yield event
        else:
            yield job, event
