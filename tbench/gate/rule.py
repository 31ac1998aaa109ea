"""What counts as a regression, and how sure the gate wants to be. Plain numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Rule:
    """`tolerance`: a case may become slower by this share. `effect`: a slowdown this large is found with probability
    `power`, as far as `most` pairs allow. `alpha`: probability of one false alarm or more in a whole run.

    `screen`: pairs of every case to begin with; `look_on`: pairs at most for a case that is neither suspicious nor
    clearly inside the tolerance. `least`, `most`: fresh pairs to confirm a suspicion with.
    """

    tolerance: float = 0.05
    effect: float = 0.10
    alpha: float = 0.01
    power: float = 0.975
    screen: int = 6
    look_on: int = 18
    least: int = 12
    most: int = 40

    @property
    def bar(self) -> float:
        """Logarithm of the ratio new ÷ base that is still tolerated."""
        return math.log1p(self.tolerance)

    @property
    def gap(self) -> float:
        """From the bar to the effect that is to be found, in logarithms."""
        return math.log1p(self.effect) - self.bar


def with_tolerance(rule: Rule, tolerance: float) -> Rule:
    """The rule for another tolerance; the effect to be found is twice as large, as it is by default."""
    return replace(rule, tolerance=tolerance, effect=2 * tolerance)


RIGOROUS = Rule(screen=10, look_on=40, least=20, most=80, power=0.99)
