"""Measures a group of compared cases: fresh processes, interleaved turns, until the intervals are narrow enough.

A round starts one fresh process per case and gives the processes turns in alternating order,

    round 1:  A B C   C B A   A B C   C B A          round 2:  C B A   A B C  …

so that drift of the machine meets all of them alike and every turn has a partner to be compared with. Only one
process runs at a time; the others sleep on their channel. Rounds are the replicates: what differs from process
to process (addresses, thread placement) is seen as often as there are rounds.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tbench.analysis.stopping import decided, looks, precise
from tbench.analysis.turns import by_round, paired, sampled_seconds
from tbench.execution.executor import Executor, Worker, WorkerFailed
from tbench.execution.plan import Draft, Group
from tbench.records import Case, Measurement, Memory, Sampling, Turn

# Set-up is not part of `max_time`, but a variant that compiles for seconds in every fresh process must end too.
SETUP_ALLOWANCE = 4.0
# On a GPU a process costs seconds (a context, first launches) where its samples take milliseconds: set-up has a budget
# of its own there, and a turn is made worth it.
GPU_SETUP_ALLOWANCE = 12.0
# Of a case, the measurements of its group so far, and the number of looks: whether all that it was to show is decided,
# each time with the error of one of so many looks. None: nothing is known to depend on it.
Stands = Callable[[Case, Mapping[Case, Measurement], int], bool | None]
FEWEST_ROUNDS = 5  # of two turns where they are slow: 3 × 4 turns take as long, for an interval 1.7 times as wide


def unknown(case: Case, measured: Mapping[Case, Measurement], looks: int) -> bool | None:
    """`Stands` where nothing is known to depend on a case."""
    return None


class Visit:
    """One case in one round: its process, and what has been seen of it so far."""

    def __init__(self, draft: Draft, executor: Executor, number: int, sampling: Sampling) -> None:
        self.draft = draft
        self.number = number
        self.sampling = sampling
        self.turns: list[Turn] = []
        self.seen: dict[str, Any] = {}
        self.failure: WorkerFailed | None = None
        self.busy = 0.0  # wall seconds this visit has taken, all in all
        self.worker: Worker | None = None
        with self.failing():
            self.worker = executor.start(draft.case)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """A failure of the worker ends this visit and becomes the case's status; nothing else is disturbed."""
        began = time.perf_counter()
        try:
            yield
        except WorkerFailed as failure:
            self.failure = failure
            self.close()
        finally:
            self.busy += time.perf_counter() - began

    def ask(self, do: str, **arguments: Any) -> Any:
        """The worker's answer, or None if the visit has failed (now or before)."""
        if self.worker is None:
            return None
        with self.failing():
            return self.worker.ask(do, self.sampling.timeout, **arguments)

    @property
    def sampled(self) -> float:
        return sampled_seconds(self.turns)

    @property
    def costs(self) -> dict[str, float]:
        """Where the visit's time went beside its samples; `overhead` is what tbench itself adds."""
        costs: dict[str, float] = dict(self.seen.get("costs", {}))
        return {**costs, "overhead": max(0.0, self.busy - sum(costs.values()) - self.sampled)}

    def close(self) -> None:
        if self.worker is not None:
            began = time.perf_counter()
            self.worker.close()
            self.worker = None
            self.busy += time.perf_counter() - began


def measure_group(
    group: Group,
    drafts: Mapping[Case, Draft],
    executor: Executor,
    sampling: Sampling,
    seed: int,
    *,
    memory_limit: int | None = None,
    update: Callable[[Case, str], None] = lambda case, state: None,
    after_round: Callable[[Sequence[Measurement]], None] = lambda measurements: None,
    stands: Stands = unknown,
) -> list[Measurement]:
    """Measure until every case is finished. `after_round` gets everything so far, to be saved. `stands`: as in `judge`.

    Drafts that already hold a measurement (a resumed run) go on from there.
    """
    rounds = in_rounds(group, drafts, executor, sampling, seed, memory_limit=memory_limit, update=update, stands=stands)
    for so_far in rounds:
        after_round(so_far)
    return [result(drafts[case]) for case in group.cases]


def in_rounds(
    group: Group,
    drafts: Mapping[Case, Draft],
    executor: Executor,
    sampling: Sampling,
    seed: int,
    *,
    memory_limit: int | None = None,
    update: Callable[[Case, str], None] = lambda case, state: None,
    stands: Stands = unknown,
) -> Iterator[list[Measurement]]:
    """`measure_group` round by round: yields what there is of the cases after each, to be saved."""
    number = 1 + max((turn.round for draft in drafts.values() for turn in draft.turns), default=-1)
    judge_group(group, drafts, sampling, stands)
    while not all(drafts[case].finished for case in group.cases):
        base = group.baseline
        # A finished baseline goes on beside what is compared with it: short ones for as long as that takes, long ones
        # (naive attention beside a window's) until they have had their time. The others then go on alone.
        keep_base = base is not None and drafts[base].finished and not spent(drafts[base], sampling)
        active = [case for case in group.cases if not drafts[case].finished or (keep_base and case == base)]
        entrants = [(drafts[case], executor) for case in active]
        play_round(entrants, sampling, seed, number, memory_limit=memory_limit, update=update)
        judge_group(group, drafts, sampling, stands)
        yield [draft.measurement for draft in drafts.values() if draft.measurement]
        number += 1


def play_round(
    entrants: Sequence[tuple[Draft, Executor]],
    sampling: Sampling,
    seed: int,
    number: int,
    *,
    memory_limit: int | None = None,
    update: Callable[[Case, str], None] = lambda case, state: None,
) -> None:
    """One fresh process per draft, each from its executor; turns in alternating order, checks at both ends."""
    visits: list[Visit] = []
    try:
        for draft, executor in entrants:
            case = draft.case
            update(case, f"round {number + 1}: set-up")
            visit = Visit(draft, executor, number, sampling)
            visits.append(visit)
            visit.seen.update(
                visit.ask(
                    "prepare",
                    case=case,
                    sampling=sampling,
                    seed=derived_seed(seed, case, number),
                    memory_limit=memory_limit,
                    first=draft.measurement is None,
                    injection=draft.injection,
                    room=draft.room,
                    crowded=draft.crowded,
                    expected=expected(draft),
                )
                or {}
            )
        turns, seconds = sampling.turns, sampling.turn_time
        if len(visits) == 1:  # nobody to alternate with, and nothing to warm up again after
            share = min(visits[0].busy, sampling.max_time / sampling.min_rounds)
            turns, seconds = 1, max(turns * seconds, share)
        elif entrants[0][0].case.device != "cpu":
            share = min(max(visit.busy for visit in visits), sampling.max_time / sampling.min_rounds)
            seconds = max(seconds, share / turns)
        for turn in range(turns):
            forward = (turn + number) % 2 == 0
            witness = turn == derived_seed(seed, entrants[0][0].case, number) % turns
            for visit in visits if forward else reversed(visits):
                # Slow cases: two turns (one each way) are a round, once they have used their share of the time.
                if turn >= 2 and visit.sampled >= sampling.max_time / sampling.min_rounds:
                    continue
                update(visit.draft.case, f"round {number + 1}: turn {turn + 1}")
                taken = visit.ask("turn", round=number, turn=turn, seconds=seconds, witness=witness)
                if taken is not None:
                    visit.turns.append(taken)
        for visit in visits:
            case = visit.draft.case
            update(case, f"round {number + 1}: check")
            weigh = visit.draft.measurement is None or visit.draft.measurement.memory is None
            visit.seen.update(visit.ask("finish", weigh=weigh) or {})
            visit.close()
            settle(visit)
    finally:
        for visit in visits:
            visit.close()


def settle(visit: Visit) -> None:
    """Add what a visit brought to its draft."""
    draft, seen, failure = visit.draft, visit.seen, visit.failure
    old = draft.measurement
    turns = (*draft.turns, *visit.turns)
    memory: Memory | None = seen.get("memory") or (old.memory if old else None)
    if memory is not None and memory.predicted_bytes is None:
        memory = replace(memory, predicted_bytes=draft.predicted_bytes)
    errors: list[float] = [error for error in (old.error if old else None, seen.get("error")) if error is not None]
    draft.measurement = Measurement(
        case=draft.case,
        status=failure.status if failure else "ok",
        reason=failure.reason if failure else "",
        notes=old.notes if old else (*draft.notes, *seen.get("notes", ())),
        ran=seen.get("ran", old.ran if old else ""),
        baseline=draft.baseline,
        turns=turns,
        target=visit.sampling.target,
        error=max(errors, default=None),
        error_limit=seen.get("error_limit", old.error_limit if old else None),
        memory=memory,
        energy=seen.get("energy") or (old.energy if old else None),
        work=draft.work,
        costs=added(old.costs if old else {}, visit.costs),
    )


def spent(draft: Draft, sampling: Sampling) -> bool:
    """Whether a case has had all the time it may take, or has failed."""
    measurement = draft.measurement
    if measurement is None or measurement.status != "ok":
        return True
    if measurement.case.device != "cpu":
        return bool(out_of_time(measurement, sampling))
    taken = sampled_seconds(measurement.turns) + sum(measurement.costs.values())
    return taken >= SETUP_ALLOWANCE * sampling.max_time


def out_of_time(measurement: Measurement, sampling: Sampling) -> str:
    """Which budget is spent: `max_time` (of samples, and of all the rest together), on a GPU also `setup`; "" if none.

    What is spent in turns beside samples (re-warming, and the spin that keeps the host out) is counted with them.
    """
    sampled = sampled_seconds(measurement.turns)
    beside = measurement.costs.get("warmup", 0.0)
    setup = sum(measurement.costs.values()) - beside
    if sampled >= sampling.max_time:
        return "max_time"
    if measurement.case.device == "cpu":
        return "max_time" if sampled + beside + setup >= SETUP_ALLOWANCE * sampling.max_time else ""
    if sampled + beside >= SETUP_ALLOWANCE * sampling.max_time:
        return "max_time"
    return "setup" if setup >= GPU_SETUP_ALLOWANCE * sampling.max_time else ""


def judge_group(group: Group, drafts: Mapping[Case, Draft], sampling: Sampling, stands: Stands) -> None:
    """Decide which cases are finished. A baseline has nothing left to do once every comparison with it stands."""
    base = drafts[group.baseline] if group.baseline is not None else None
    measured = {case: drafts[case].measurement for case in group.cases}
    known = {case: measurement for case, measurement in measured.items() if measurement is not None}
    times = len(looks(sampling.min_rounds, sampling.max_rounds))
    for case in known:
        judge(drafts[case], sampling, None if case == group.baseline else base, stands(case, known, times))
    others = [drafts[case] for case in group.cases if case != group.baseline]
    if base is None or base.finished or len(by_round(base.turns)) < min(FEWEST_ROUNDS, sampling.min_rounds):
        return
    if all(draft.finished for draft in others) and any(draft.stopped == "decision" for draft in others):
        base.stopped = "decision"


def judge(draft: Draft, sampling: Sampling, base: Draft | None, stands: bool | None) -> None:
    """Decide whether a case is finished, and why. `base`: what it is compared with, where that is another case.

    `stands`: whether all that the case was to show is decided; if None, the comparison with `base` is what counts.
    """
    measurement = draft.measurement
    if measurement is None or measurement.status != "ok" or draft.stopped:
        return
    rounds = by_round(measurement.turns)
    sampled = sampled_seconds(measurement.turns)
    stops = looks(sampling.min_rounds, sampling.max_rounds)
    if len(rounds) in stops and sampled >= sampling.min_time:
        if precise(rounds, sampling.target, sampling.max_rounds):
            draft.stopped = "target"
            return
        first, second = paired(base.turns, measurement.turns) if base is not None else ([], [])
        if stands is None:
            few = len(first) < min(FEWEST_ROUNDS, sampling.min_rounds)
            stands = not few and decided(first, second, sampling.target, len(stops))
        if stands:
            draft.stopped = "decision"
            return
    # All of them: those of another clock than the reported one bring no narrower interval, and take as long.
    played = len({turn.round for turn in measurement.turns})
    if played >= min(FEWEST_ROUNDS, sampling.min_rounds) and (spent_budget := out_of_time(measurement, sampling)):
        draft.stopped = spent_budget
    elif played >= sampling.max_rounds:
        draft.stopped = "max_rounds"


def expected(draft: Draft) -> float | None:
    """Seconds of a call, per layer, as the rounds so far have it."""
    return min((sum(turn.seconds) / len(turn.seconds) for turn in draft.turns), default=None)


def result(draft: Draft) -> Measurement:
    assert draft.measurement is not None
    return replace(draft.measurement, stopped=draft.stopped)


def added(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    return {name: first.get(name, 0.0) + second.get(name, 0.0) for name in {**first, **second}}


def derived_seed(seed: int, case: Case, number: int) -> int:
    """A seed of its own for every case and round, the same whenever the run is repeated with `seed`."""
    digest = hashlib.blake2b(f"{seed} {number} {case.id}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big")
