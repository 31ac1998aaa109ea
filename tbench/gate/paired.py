"""One case on two sides: pairs of fresh processes that take turns, and what they show.

A pair is a round of two: base and new, whose visits alternate as A B B A, in the next pair as B A A B. One number comes
of it, the difference of the two sides' mean logarithms; drift of the machine meets both alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from statistics import fmean

from tbench.analysis.turns import paired
from tbench.comparison.model import grown
from tbench.execution.executor import Executor
from tbench.execution.rounds import Draft, play_round
from tbench.gate.decision import Evidence
from tbench.records import Case, Handicap, Measurement, Memory, Sampling

Source = Iterator[tuple[Handicap, Handicap]]  # of the next pair, base and new

VISITS = 2  # to each case in each process
VISIT_SECONDS, QUICK_VISIT_SECONDS = 0.1, 0.05
WARM_UP_SECONDS = 0.05
SHORT = ("oom", "timeout")


def sampling_of(scenario: Sampling, quick: bool = False) -> Sampling:
    """How a pair samples: the scenario decides about caches and time limits, the gate about the rest."""
    seconds = QUICK_VISIT_SECONDS if quick else VISIT_SECONDS
    return replace(scenario, turns=VISITS, turn_time=seconds, warmup=WARM_UP_SECONDS)


@dataclass
class Duel:
    """`base` and `new`: the two sides' drafts of the case, each with its executor. `control`: both are the base."""

    name: str
    base: tuple[Draft, Executor]
    new: tuple[Draft, Executor]
    sampling: Sampling
    evidence: Evidence = field(default_factory=Evidence)
    smallest: dict[str, Memory] = field(default_factory=dict)  # of a side that was weighed more than once
    pairs: int = 0
    control: bool = False
    noise: Source | None = None  # that is injected: each pair has its own, on either side
    spent: bool = False  # a pair that a passing shortage has ended was taken again

    @property
    def case(self) -> Case:
        return self.new[0].case

    def measured(self, side: str) -> Measurement | None:
        draft: Draft = getattr(self, side)[0]
        return draft.measurement

    @property
    def over(self) -> bool:
        """Whether a side has failed: there is nothing to compare any more."""
        sides = (self.measured("base"), self.measured("new"))
        return any(one is not None and one.status != "ok" for one in sides)

    @property
    def short(self) -> bool:
        """Whether a side ran out of memory or time, as anything may while the machine is short of either."""
        sides = (self.measured("base"), self.measured("new"))
        return any(one is not None and one.status in SHORT for one in sides)

    @property
    def compared(self) -> bool:
        """Whether there is anything to judge."""
        return not self.over and bool(self.evidence.screen)

    def fight(self, into: list[float], seed: int, memory_limit: int | None = None) -> None:
        """Take one pair and add its difference to `into`, one of the evidence's lists."""
        entrants = [self.base, self.new]
        if self.pairs // 2 % 2:  # who is set up first must not always be the same, nor go with who starts
            entrants.reverse()
        before = [draft.measurement for draft, _ in entrants]
        if self.noise is not None:
            self.base[0].handicap, self.new[0].handicap = next(self.noise)
        play_round(entrants, self.sampling, seed, self.pairs, memory_limit=memory_limit)
        if self.short and self.evidence.screen and not self.spent:
            self.spent = True  # a second shortage is the case's, or the machine's for good
            for (draft, _), had in zip(entrants, before, strict=True):
                draft.measurement = had
            play_round(entrants, self.sampling, seed, self.pairs, memory_limit=memory_limit)
        self.pairs += 1
        if self.over:
            return
        into.append(self.last_difference())
        self.weigh_again_if_grown()

    def last_difference(self) -> float:
        """Logarithm of new ÷ base of the latest pair."""
        base, new = self.measured("base"), self.measured("new")
        assert base is not None and new is not None
        latest = self.pairs - 1
        first, second = paired(
            [turn for turn in base.turns if turn.round == latest], [turn for turn in new.turns if turn.round == latest]
        )
        return fmean(second[0]) - fmean(first[0])

    def weigh_again_if_grown(self) -> None:
        """A growth must be seen in two pairs: libraries may take scratch memory of different size from call to call."""
        sides = {name: self.measured(name) for name in ("base", "new")}
        for name, one in sides.items():
            if one is not None and one.memory is not None:
                self.smallest[name] = lighter(self.smallest.get(name), one.memory)
        if self.pairs == 1 and self.grown:
            for draft, _ in (self.base, self.new):
                if draft.measurement is not None:
                    draft.measurement = replace(draft.measurement, memory=None)

    def peak(self, side: str) -> int | None:
        memory = self.smallest.get(side)
        return memory.peak_bytes if memory else None

    @property
    def grown(self) -> bool:
        base, new = self.peak("base"), self.peak("new")
        return base is not None and new is not None and grown(base, new)


def lighter(old: Memory | None, new: Memory) -> Memory:
    """The smaller of two weighings of one side; one without a figure counts for nothing."""
    if old is None or old.peak_bytes is None:
        return new
    return old if new.peak_bytes is None or old.peak_bytes <= new.peak_bytes else new
