"""What counts as a regression, and how sure the gate wants to be. Plain numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Rule:
    """`tolerance`: a case may become slower by this share. `effect`: a slowdown this large is found with probability
    `power`, as far as `most` pairs allow. `alpha`: probability of one false alarm or more in a whole run.

    `seconds`: what a run should take for each case, and a minute at least. Once it is over, nothing that could be left
    out is begun: cases are screened no longer than they must be, and suspects not looked at a second time.

    `screen`: pairs of every case to begin with; `look_on`: pairs at most for a case that is neither suspicious nor
    clearly inside the tolerance. `least`, `most`: fresh pairs to confirm a suspicion with; `looks`: how often they are
    tested.
    """

    tolerance: float = 0.05
    effect: float = 0.10
    alpha: float = 0.01
    power: float = 0.975
    screen: int = 6
    look_on: int = 18
    least: int = 12
    most: int = 60
    looks: int = 2
    seconds: float = 12.0

    def allowance(self, cases: int) -> float:
        """Seconds for a run of so many cases."""
        return max(60.0, self.seconds * cases)

    @property
    def bar(self) -> float:
        """Logarithm of the ratio new ÷ base that is still tolerated."""
        return math.log1p(self.tolerance)

    @property
    def alpha_of_a_look(self) -> float:
        """What each look at the confirmations may err with, so that all together keep to alpha (Bonferroni)."""
        return self.alpha / self.looks

    @property
    def gap(self) -> float:
        """From the bar to the effect that is to be found, in logarithms."""
        return math.log1p(self.effect) - self.bar


def with_tolerance(rule: Rule, tolerance: float) -> Rule:
    """The rule for another tolerance; the effect to be found is twice as large, as it is by default."""
    return replace(rule, tolerance=tolerance, effect=2 * tolerance)


RIGOROUS = Rule(screen=10, look_on=40, least=20, most=120, power=0.99, seconds=120)
