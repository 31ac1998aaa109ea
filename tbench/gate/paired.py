"""Paired measurement: each case in pairs of fresh processes, base and new, whose turns alternate.

A pair is a round of two: its turns run base, new, new, base, and in the next pair the other way round. One number comes
of it, the difference of the two sides' mean logarithms; drift of the machine meets both alike. `measure_pairs` takes
the pairs of all cases in sweeps: screening first, then suspects on fresh pairs. `decision` has the reasons.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Protocol

from tbench.analysis.clocks import on_gpu
from tbench.analysis.turns import as_called, clock_of, paired
from tbench.comparison.model import grown
from tbench.execution.executor import Executor
from tbench.execution.plan import Draft
from tbench.execution.rounds import play_round
from tbench.gate.decision import (
    Evidence,
    Rule,
    cleared,
    open_after_first_look,
    pairs_to_confirm,
    screening_goes_on,
    suspicion,
    wants_more_screening,
)
from tbench.records import Case, Injection, Measurement, Memory, Sampling, Turn
from tbench.tables.units import counted

InjectedNoise = Iterator[tuple[Injection, Injection]]  # into the next pair, base and new

TURNS = 2  # of each process
TURN_SECONDS, QUICK_TURN_SECONDS = 0.1, 0.05
WARM_UP_SECONDS = 0.05
SHORTAGES = ("oom", "timeout")


def sampling_of(scenario: Sampling, quick: bool = False) -> Sampling:
    """How a pair samples: the scenario decides about caches and time limits, the gate about the rest."""
    seconds = QUICK_TURN_SECONDS if quick else TURN_SECONDS
    return replace(scenario, turns=TURNS, turn_time=seconds, warmup=WARM_UP_SECONDS)


@dataclass
class PairedCase:
    """One case on two sides. `base` and `new`: its state on either side, each with the executor of that side's workers.

    `evidence`: the pairs' differences. `pairs`: how many were taken. `control`: both sides are the base. `noise`: work
    injected into each pair, as a calibration does. `peaks`: the smallest peak memory measured of a side. `retried`:
    a pair that a passing shortage of memory or time had ended was taken again. `taken`: the list of the evidence that
    each pair is in. `called`: all pairs are judged by what a program sees, since not all were queued ahead.
    """

    name: str
    base: tuple[Draft, Executor]
    new: tuple[Draft, Executor]
    sampling: Sampling
    evidence: Evidence = field(default_factory=Evidence)
    control: bool = False
    noise: InjectedNoise | None = None
    pairs: int = 0
    peaks: dict[str, Memory] = field(default_factory=dict)
    retried: bool = False
    taken: list[list[float]] = field(default_factory=list)
    called: bool = False

    @property
    def case(self) -> Case:
        return self.new[0].case

    def measured(self, side: str) -> Measurement | None:
        """What the side `base` or `new` has measured so far."""
        draft: Draft = getattr(self, side)[0]
        return draft.measurement

    @property
    def failed(self) -> bool:
        """Whether a side has failed: there is nothing to compare any more."""
        return any(one is not None and one.status != "ok" for one in self._both())

    @property
    def short(self) -> bool:
        """Whether a side ran out of memory or time, as anything may while the machine is short of either."""
        return any(one is not None and one.status in SHORTAGES for one in self._both())

    @property
    def compared(self) -> bool:
        """Whether there are pairs to judge."""
        return not self.failed and bool(self.evidence.screen)

    def measure_pair(self, into: list[float], seed: int, memory_limit: int | None = None) -> None:
        """Take one pair and add its difference to `into`, one of the evidence's lists."""
        sides = [self.base, self.new]
        if self.pairs // 2 % 2:  # who is set up first must not always be the same, nor go with who starts
            sides.reverse()
        before = [draft.measurement for draft, _ in sides]
        if self.noise is not None:
            self.base[0].injection, self.new[0].injection = next(self.noise)
        play_round(sides, self.sampling, seed, self.pairs, memory_limit=memory_limit)
        if self.short and self.evidence.screen and not self.retried:
            self.retried = True  # a second shortage is the case's, or the machine's for good
            for (draft, _), earlier in zip(sides, before, strict=True):
                draft.measurement = earlier
            play_round(sides, self.sampling, seed, self.pairs, memory_limit=memory_limit)
        self.pairs += 1
        if self.failed:
            return
        self.taken.append(into)
        latest = self.pairs - 1
        if self.called or len({clock_of(turns) for pair in (0, latest) for turns in self.turns_of(pair)}) == 1:
            into.append(self.difference(latest))
        else:  # one clock for all pairs, those that were taken before too
            self.called = True
            for pairs in self.taken:
                pairs.clear()
            for pair, pairs in enumerate(self.taken):
                pairs.append(self.difference(pair))
        self.update_peaks()

    def turns_of(self, pair: int) -> list[list[Turn]]:
        """The base's and the new side's turns of a pair."""
        both = self._both()
        return [[turn for turn in one.turns if turn.round == pair] for one in both if one is not None]

    def difference(self, pair: int) -> float:
        """Logarithm of new ÷ base of a pair."""
        base, new = [as_called(turns) for turns in self.turns_of(pair)] if self.called else self.turns_of(pair)
        first, second = paired(base, new)
        return fmean(second[0]) - fmean(first[0])

    @property
    def host_included(self) -> bool:
        """Whether the host is in the times that were compared, on a GPU."""
        base = self.measured("base")
        return base is not None and on_gpu(base) and (self.called or not clock_of(base.turns))

    def update_peaks(self) -> None:
        """Keep each side's smallest peak. A growth must be seen in two pairs, so after the first memory is measured
        again: libraries may take scratch memory of different size from call to call."""
        for side in ("base", "new"):
            one = self.measured(side)
            if one is not None and one.memory is not None:
                self.peaks[side] = smaller(self.peaks.get(side), one.memory)
        if self.pairs == 1 and self.grown:
            for draft, _ in (self.base, self.new):
                if draft.measurement is not None:
                    draft.measurement = replace(draft.measurement, memory=None)

    def peak(self, side: str) -> int | None:
        """Peak memory of the side `base` or `new` in bytes; None where it was not measured."""
        memory = self.peaks.get(side)
        return memory.peak_bytes if memory else None

    @property
    def grown(self) -> bool:
        base, new = self.peak("base"), self.peak("new")
        return base is not None and new is not None and grown(base, new)

    def _both(self) -> tuple[Measurement | None, Measurement | None]:
        return self.measured("base"), self.measured("new")


def smaller(old: Memory | None, new: Memory) -> Memory:
    """The smaller of two measurements of one side's memory; one no figure counts for nothing."""
    if old is None or old.peak_bytes is None:
        return new
    return old if new.peak_bytes is None or old.peak_bytes <= new.peak_bytes else new


# ---------------------------------------------------------------------- all cases of a run


class Pairable(Protocol):
    """What `measure_pairs` needs of a case: a `PairedCase`, or one whose differences are drawn (`simulation`)."""

    name: str
    evidence: Evidence
    control: bool

    @property
    def failed(self) -> bool: ...
    def measure_pair(self, into: list[float], seed: int, memory_limit: int | None = None) -> None: ...


def ignore(message: str) -> None: ...


@dataclass(frozen=True)
class Progress:
    """What a gate reports while it measures. `say`: a line to keep. `show`: where it is, until the next replaces it.
    `swept`: called after every sweep, to save what there is."""

    say: Callable[[str], None] = ignore
    show: Callable[[str], None] = ignore
    swept: Callable[[], None] = lambda: None


def measure_pairs(
    cases: Sequence[Pairable],
    rule: Rule,
    seed: int,
    progress: Progress,
    memory_limit: Callable[[], int | None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Take all pairs. Afterwards each case that has not failed holds the evidence for a verdict.

    How many pairs a case gets may depend on the time there is, never on what its confirmation shows so far, but for the
    look between. `memory_limit`: bytes that a worker may take.
    """
    sweeps = Sweeps(cases, rule, seed, progress, memory_limit, clock)
    sweeps.screen()
    suspects = sweeps.suspects()
    sweeps.confirm(suspects)
    sweeps.look_again(suspects)


class Sweeps:
    """One pair of every case that is still open, then the next of each: whatever the machine does for a while meets
    all cases."""

    def __init__(
        self,
        cases: Sequence[Pairable],
        rule: Rule,
        seed: int,
        progress: Progress,
        memory_limit: Callable[[], int | None],
        clock: Callable[[], float],
    ) -> None:
        self.cases, self.rule, self.seed, self.progress = cases, rule, seed, progress
        self.memory_limit, self.clock = memory_limit, clock
        self.began = clock()
        self.ends = self.began + rule.allowance(len(cases))

    def screen(self) -> None:
        """Pairs of every case until it is settled whether it is a suspect."""
        pairs = self.rule.screen
        self.progress.say(
            f"screening {counted(len(self.cases), 'case')} (A/A control included), at least {pairs} process pairs each"
        )
        sweep = 0
        while still_open := self.screening(self.late()):
            sweep += 1
            self.progress.show(f"screening {counted(len(still_open), 'case')}, pair {sweep}")
            self.screen_once(still_open)

    def screening(self, late: bool) -> list[Pairable]:
        """The cases whose screening goes on; none where all have failed, for then nothing is left to control."""
        if self.all_failed():
            return []
        return [one for one in self.cases if not one.failed and screening_goes_on(one.evidence, self.rule, late)]

    def suspects(self) -> list[Pairable]:
        """The screened cases to confirm; none where all have failed: the control is no end in itself."""
        if self.all_failed():
            return []
        screened = (one for one in self.cases if not one.failed and one.evidence.screen)
        return [one for one in screened if suspicion(one.evidence.screen, self.rule)]

    def confirm(self, suspects: Sequence[Pairable]) -> None:
        """As many fresh pairs of each suspect as its noise seems to need and there is time for."""
        if suspects:
            self.progress.say(f"{counted(len(suspects), 'case')} to confirm on fresh pairs")
            taken = sum(len(one.evidence.screen) for one in self.cases)
            left = max(0.0, self.ends - self.clock())
            affordable = taken * left / max(self.clock() - self.began, 1e-9) / len(suspects)
            for one in suspects:
                one.evidence.planned = pairs_to_confirm(one.evidence, self.rule, len(suspects), affordable)
        self.confirm_with(suspects, {one.name: one.evidence.planned for one in suspects}, lambda: False)

    def look_again(self, suspects: Sequence[Pairable]) -> None:
        """More pairs of what is still open, suspect or not, as far as there is time."""
        left = open_after_first_look({one.name: one.evidence for one in suspects if not one.failed}, self.rule)
        further = [one for one in suspects if one.name in left and one.evidence.planned < self.rule.most]
        accused = {one.name for one in suspects}
        others = [] if self.all_failed() else self.unsettled([one for one in self.cases if one.name not in accused])
        if (further or others) and not self.late():
            self.progress.say(f"{counted(len(further) + len(others), 'case')} still undecided: more pairs")
            self.confirm_with(further, {one.name: self.rule.most for one in further}, self.late)
        while (others := self.unsettled(others)) and not self.late():
            pair = max(len(one.evidence.screen) for one in others) + 1
            self.progress.show(f"screening {counted(len(others), 'case')}, pair {pair}")
            self.screen_once(others)

    def confirm_with(self, suspects: Sequence[Pairable], wanted: dict[str, int], late: Callable[[], bool]) -> None:
        """Take pairs of the suspects until each has as many as `wanted`, is cleared or has failed, or it is `late`."""

        def goes_on(one: Pairable) -> bool:
            pairs = len(one.evidence.confirm)
            return not one.failed and pairs < wanted[one.name] and not cleared(one.evidence, self.rule)

        while (left := [one for one in suspects if goes_on(one)]) and not late():
            pair = max(len(one.evidence.confirm) for one in left) + 1
            self.progress.show(
                f"confirming {counted(len(left), 'case')}, pair {pair} of at most {max(wanted.values())}"
            )
            for one in left:
                one.measure_pair(one.evidence.confirm, self.seed, self.memory_limit())
            self.progress.swept()

    def unsettled(self, others: Sequence[Pairable]) -> list[Pairable]:
        """Those that are neither suspects nor OK, and can still be looked at."""
        return [one for one in others if not one.failed and wants_more_screening(one.evidence, self.rule)]

    def screen_once(self, cases: Sequence[Pairable]) -> None:
        for one in cases:
            one.measure_pair(one.evidence.screen, self.seed, self.memory_limit())
        self.progress.swept()

    def all_failed(self) -> bool:
        """Whether there are cases beside the control, and all of them have failed."""
        cases = [one for one in self.cases if not one.control]
        return bool(cases) and all(one.failed for one in cases)

    def late(self) -> bool:
        return self.clock() >= self.ends
