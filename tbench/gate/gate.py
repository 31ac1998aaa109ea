"""The gate against another version of the code: both measured here, now, in turns. The way a case takes:

sides → cases of both → duels, and the control → contest → outcomes
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tbench.catalog import get as get_component
from tbench.errors import NothingSelected
from tbench.execution import plan as planning
from tbench.execution.lock import device_lock
from tbench.execution.rounds import Draft, play_round
from tbench.execution.runner import Machine
from tbench.gate import settle
from tbench.gate.contest import Watcher, contest
from tbench.gate.decision import Evidence, judged
from tbench.gate.outcome import Outcome, Result, without_alarms
from tbench.gate.paired import Duel, Source, sampling_of
from tbench.gate.rule import Rule
from tbench.gate.sides import Asked, Sides, looked_again
from tbench.gate.spots import located
from tbench.records import Case, Handicap, Measurement, Sampling

CONTROL = "A/A control"
SHAKEN = "the base was told from itself: this machine is too unsteady now for any verdict on time; run again when quiet"


@dataclass
class Arena:
    """Two sides, prepared: what can be compared, and what became of the rest already."""

    sides: Sides
    shared: tuple[Case, ...]  # in both scenarios, and possible here
    sampling: Mapping[Case, Sampling]
    skipped: Mapping[Case, Measurement]
    only_new: tuple[Case, ...]
    only_base: tuple[Case, ...]
    order: tuple[Case, ...]  # of the new scenario

    def draft(self, case: Case, handicap: Handicap | None = None) -> Draft:
        component = get_component(case.component)
        work, predicted = component.work_of(case), component.predict_bytes(case)
        return Draft(case, None, work, predicted, handicap=handicap)

    def duel(self, case: Case, sigma: float | None, handicap: Handicap | None = None) -> Duel:
        """A case on both sides. With a handicap on the new one the base has an empty one: what it holds in memory must
        not be a difference, for where tensors lie can change a time by more than the handicap does."""
        empty = None if handicap is None else Handicap()
        base, new = self.draft(case, empty), self.draft(case, handicap)
        sides = (base, self.sides.base.executor), (new, self.sides.new.executor)
        return Duel(case.id, *sides, self.sampling[case], Evidence(sigma=sigma))

    def control(self, case: Case, sigmas: Mapping[str, float]) -> Duel:
        """The base against itself."""
        executor = self.sides.base.executor
        sides = (self.draft(case), executor), (self.draft(case), executor)
        return Duel(CONTROL, *sides, self.sampling[case], Evidence(sigma=sigmas.get(case.id)), control=True)


@contextmanager
def arena(both: Sides, asked: Asked, watcher: Watcher) -> Iterator[Arena]:
    """Hold the device, and see what can be compared on it. Raises UsageError and NothingSelected."""
    with device_lock(both.device, watcher.say):
        both = looked_again(both)
        here = both.new.cases(both.device, asked.select)
        there = in_base(both, asked.select)
        parts = both.new.scenario.parts or (both.new.scenario,)
        sampling: dict[Case, Sampling] = {}
        for part in parts:
            for case in here:
                if part.has(case):
                    sampling.setdefault(case, sampling_of(part.sampling, asked.quick))
        timed = [case for case in here if not get_component(case.component).experiment]
        if not timed:
            raise NothingSelected("nothing here is timed: the gate is for kernels, not for experiments")
        of_here, of_base = set(here), set(there)
        common = [case for case in timed if case in of_base]
        plan = planned(both, common)
        yield Arena(
            both,
            tuple(case for group in plan.groups for case in group.cases),
            sampling,
            {row.case: row for row in plan.left_out},
            only_new=tuple(case for case in timed if case not in of_base),
            only_base=tuple(case for case in there if case not in of_here),
            order=tuple(timed),
        )


def in_base(both: Sides, select: Sequence[str]) -> list[Case]:
    """The base's cases; a selection may leave none of them, which is no mistake of the user's."""
    try:
        return both.base.cases(both.device, select)
    except NothingSelected:
        return []


def free_bytes(both: Sides) -> int:
    """What a process may take: of what is free, half, for there are two."""
    return Machine(both.new.executor).free_bytes(both.device) // 2


def planned(both: Sides, cases: Sequence[Case]) -> planning.Plan:
    """Which cases can run. With a Python for each side, what one has not got installed shows when it is tried."""
    unsupported = None
    if not both.one_python:
        asked = [Machine(side.executor).ask("unsupported", cases=tuple(cases)) for side in (both.base, both.new)]
        reasons = {case: there and here for case, there, here in zip(cases, *asked, strict=True)}
        unsupported = reasons.__getitem__
    return planning.make([(case, None) for case in cases], Sampling(), free_bytes(both), None, unsupported)


def decide(
    place: Arena,
    rule: Rule,
    seed: int,
    watcher: Watcher,
    sigmas: Mapping[str, float],
    handicaps: Mapping[Case, Handicap] | None = None,
    noise: Callable[[Duel], Source | None] = lambda duel: None,
) -> tuple[list[Outcome], Outcome | None, list[Duel]]:
    """Measure everything and judge it: an outcome for every case, one for the control, and the duels.

    `handicaps`: of the new side, for as long as it lasts. `noise`: of both sides, from pair to pair.
    """
    burdens = handicaps or {}
    duels = [place.duel(case, sigmas.get(case.id), burdens.get(case)) for case in place.shared]
    control = [place.control(place.shared[0], sigmas)] if duels else []
    for duel in (*duels, *control):
        duel.noise = noise(duel)
    limit = (lambda: free_bytes(place.sides)) if place.sides.device == "cpu" else (lambda: None)
    watcher.begin([*duels, *control])
    contest([*duels, *control], rule, seed, watcher, limit)
    live = [duel for duel in duels if duel.compared]
    if live and not control[0].compared:  # the first case fails in the base: another has to do
        control = [place.control(live[0].case, sigmas)]
        control[0].noise = noise(control[0])
        watcher.begin([*duels, *control])
        contest(control, rule, seed, watcher, limit)
    found = judged({duel.name: duel.evidence for duel in (*duels, *control) if duel.compared}, rule)
    outcomes = {duel.case: settle.settled(duel, found.get(duel.name), rule) for duel in duels}
    looks = {case: first_look(place, case, seed, limit()) for case in place.only_new}
    outcomes |= {case: settle.added(case, look) for case, look in looks.items()}
    watcher.beside([*looks.values(), *place.skipped.values()])
    outcomes |= {case: settle.skipped(case, row) for case, row in place.skipped.items()}
    told = [outcomes[case] for case in place.order] + [settle.missing(case) for case in place.only_base]
    judged_control = settle.settled(control[0], found[CONTROL], rule) if CONTROL in found else None
    if judged_control is not None and judged_control.verdict in ("SLOWER", "FASTER"):
        told = [without_alarms(one, SHAKEN) for one in told]
    return located(told, place.sides.new.scenario, place.order), judged_control, [*duels, *control]


def first_look(place: Arena, case: Case, seed: int, memory_limit: int | None) -> Measurement:
    """A case that only the new side has: whether it is correct, and roughly its time."""
    row = planned(place.sides, [case]).left_out
    if row:
        return row[0]
    draft = place.draft(case)
    play_round([(draft, place.sides.new.executor)], place.sampling[case], seed, 0, memory_limit=memory_limit)
    assert draft.measurement is not None
    return draft.measurement


def result(
    place: Arena,
    rule: Rule,
    outcomes: Sequence[Outcome],
    control: Outcome | None,
    notes: Sequence[str],
) -> Result:
    both = place.sides
    return Result(
        scenario=both.new.scenario.name,
        path=both.path,
        base=both.base.told,
        new=both.new.told,
        tolerance=rule.tolerance,
        alpha=rule.alpha,
        outcomes=tuple(outcomes),
        control=control,
        notes=tuple(notes),
        environment=both.new.environment.to_dict(),
    )
