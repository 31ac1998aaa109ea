"""What counts as a regression, and how sure the gate wants to be. Plain numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

LOOKS = 4  # for an OK, at most, at a case
FIRST_LOOK = 1 / 64


@dataclass(frozen=True)
class Rule:
    """`tolerance`: a case may become slower by this share. `effect`: a slowdown this large is found with probability
    `power`, as far as `most` pairs allow. `alpha`: probability of one false alarm or more in a whole run.

    `seconds`: what a run should take for each case, and `least_seconds` in all. Once it is over, nothing that could be
    left out is begun: cases are screened no longer than they must be, and suspects not looked at a second time.

    `screen`: pairs of every case to begin with; `look_on`: pairs at most before it is settled whether it is a suspect.
    `least`, `most`: fresh pairs to confirm a suspicion with; `looks`: how often they are tested.

    `ok_alpha`: probability of an OK for a case whose ratio is the tolerance itself. It is looked at four times at most,
    whatever way it takes (`screening_looks`, `confirmation_looks`), and each look has its share.
    """

    tolerance: float = 0.05
    effect: float = 0.10
    alpha: float = 0.01
    power: float = 0.975
    screen: int = 6
    look_on: int = 12
    least: int = 12
    most: int = 60
    looks: int = 2
    ok_alpha: float = 0.05
    seconds: float = 9.0
    least_seconds: float = 60.0

    def allowance(self, cases: int) -> float:
        """Seconds for a run of so many cases."""
        return max(self.least_seconds, self.seconds * cases)

    @property
    def bar(self) -> float:
        """Logarithm of the ratio new ÷ base that is still tolerated."""
        return math.log1p(self.tolerance)

    @property
    def alpha_of_a_look(self) -> float:
        """What each look at the confirmations may err with, so that all together keep to alpha (Bonferroni)."""
        return self.alpha / self.looks

    @property
    def screening_looks(self) -> tuple[int, ...]:
        """Numbers of pairs at which a case that is no suspect is looked at: it is made a suspect at the first or the
        second or not at all. The last two double, or so, what went before: few looks, and none of them far off."""
        between = round(math.sqrt(self.look_on * self.most))
        return ascending(self.screen, self.look_on, between, self.most)

    def ok_alpha_of_a_look(self, pairs: int) -> float:
        """What a look for an OK after so many pairs may err with.

        The first has 1/64, the smallest p-value that six pairs can have: without it a quiet machine would need more of
        them for every case. The others share what that leaves (Bonferroni). Where a case turns from screening to
        confirmation the shares do not add up to a bound, as it gets fresh pairs then; that `ok_alpha` is kept is by
        simulation, for noise from 2% to 10% (bench/gate_errors.py). To look after every pair, each time at 5%, was
        wrong in 21% to 28% of the cases at the tolerance.
        """
        return FIRST_LOOK if pairs == self.screen else (self.ok_alpha - FIRST_LOOK) / (LOOKS - 1)

    def confirmation_looks(self, planned: int) -> tuple[int, ...]:
        """Numbers of fresh pairs at which a suspect is looked at, where so many are planned."""
        return ascending(self.least, planned, max(planned, self.most))

    @property
    def gap(self) -> float:
        """From the bar to the effect that is to be found, in logarithms."""
        return math.log1p(self.effect) - self.bar


def ascending(*numbers: int) -> tuple[int, ...]:
    return tuple(sorted(set(numbers)))


def with_tolerance(rule: Rule, tolerance: float) -> Rule:
    """The rule for another tolerance; the effect to be found is twice as large, as it is by default."""
    return replace(rule, tolerance=tolerance, effect=2 * tolerance)


QUICK = Rule(seconds=4.0, least_seconds=20.0)
RIGOROUS = Rule(screen=10, look_on=20, least=20, most=120, power=0.99, seconds=120)


def rule_for(quick: bool = False, rigorous: bool = False) -> Rule:
    return RIGOROUS if rigorous else QUICK if quick else Rule()
