"""From the pairs' differences to a verdict. Pure; the rule's numbers decide.

    screen   some pairs of every case. A case whose median difference is past half of the tolerance is a *suspect*, in
             either direction; one whose upper bound is inside the tolerance is OK; any other is looked at longer.
    confirm  a suspect is measured again, in fresh pairs that the suspicion was not drawn from, as many as its noise
             needs; fewer, once they show that it is tolerated. Only these count: SLOWER or FASTER if the ratio is shown
             to be past the tolerance (exact signed-rank test, Holm over all suspects of the run), OK if it is shown to
             be inside, otherwise INCONCLUSIVE.

The error rate is the run's, not a case's: a case that was never a suspect cannot raise an alarm, and suspects share
`alpha`. Differences are logarithms of new ÷ base, one number for a pair of fresh processes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tbench.analysis.signed_rank import (
    cautious_spread,
    centre,
    detectable,
    holm,
    lower,
    p_above,
    p_below,
    pairs_needed,
    upper,
)
from tbench.analysis.statistics import Interval
from tbench.gate.rule import Rule

Opinion = Literal["SLOWER", "FASTER", "OK", "INCONCLUSIVE"]
BOUND = 0.95  # confidence that an OK's ratio is inside the tolerance


@dataclass
class Evidence:
    """The differences of a case. `sigma`: their standard deviation by an earlier calibration, if there was one."""

    screen: list[float] = field(default_factory=list)
    confirm: list[float] = field(default_factory=list)
    sigma: float | None = None

    @property
    def spread(self) -> float:
        """Standard deviation of a pair's difference, from the screening: what confirms must not choose its own size."""
        return max(cautious_spread(self.screen), self.sigma or 0.0)

    @property
    def decisive(self) -> list[float]:
        return self.confirm or self.screen


@dataclass(frozen=True)
class Finding:
    """`ratio`: new ÷ base with its 95% interval, from the pairs that decided. `detectable`: the smallest slowdown
    these could have shown. `more`: pairs more that would decide; None where nothing is open."""

    opinion: Opinion
    ratio: Interval
    detectable: float
    more: int | None = None


def suspicion(screen: Sequence[float], rule: Rule) -> int:
    """1: perhaps slower, -1: perhaps faster, 0: neither."""
    median = statistics.median(screen)
    return 0 if abs(median) <= rule.bar / 2 else 1 if median > 0 else -1


def inside(differences: Sequence[float], rule: Rule) -> bool:
    """Whether they show that the ratio is tolerated."""
    return upper(differences, BOUND) < rule.bar


def undecided(evidence: Evidence, rule: Rule) -> bool:
    """Whether the screening of a case must go on."""
    screen = evidence.screen
    if len(screen) < rule.screen:
        return True
    return len(screen) < rule.look_on and not suspicion(screen, rule) and not inside(screen, rule)


def to_confirm(evidence: Evidence, rule: Rule, suspects: int) -> int:
    """Fresh pairs that a suspect is measured in, one of so many in the run."""
    beyond = abs(statistics.median(evidence.screen)) - rule.bar
    gap = max(rule.gap, beyond / 2)  # what looks many times slower takes few pairs; half, for it was chosen by looking
    needed = pairs_needed(evidence.spread, gap, rule.alpha / suspects, rule.power)
    fewest = math.ceil(math.log2(suspects / rule.alpha))  # the smallest p that n pairs can give is 2⁻ⁿ
    return max(fewest, min(rule.most, max(rule.least, needed)))


def cleared(evidence: Evidence, rule: Rule) -> bool:
    """Whether a confirmation may end early: the suspect is tolerated. To stop for the opposite would cost alpha."""
    values = evidence.confirm
    return len(values) >= rule.screen and inside(values, rule) and lower(values, BOUND) > -rule.bar


def judged(cases: Mapping[str, Evidence], rule: Rule) -> dict[str, Finding]:
    """The verdict on every case, once all pairs are taken."""
    suspects = {name: suspicion(one.screen, rule) for name, one in cases.items() if one.confirm}
    p_values = [
        p_above(cases[name].confirm, rule.bar) if way > 0 else p_below(cases[name].confirm, -rule.bar)
        for name, way in suspects.items()
    ]
    rejected = dict(zip(suspects, holm(p_values, rule.alpha), strict=True))
    return {
        name: finding(one, rule, suspects.get(name, 0) if rejected.get(name) else 0, len(suspects))
        for name, one in cases.items()
    }


def finding(evidence: Evidence, rule: Rule, shown: int, suspects: int) -> Finding:
    """`shown`: 1 where the case was shown to be slower than tolerated, -1 faster."""
    values = evidence.decisive
    alpha = rule.alpha / max(1, suspects)
    smallest = math.expm1(rule.bar + detectable(evidence.spread, len(values), alpha, rule.power))
    ratio = ratio_of(values)
    if shown:
        return Finding("SLOWER" if shown > 0 else "FASTER", ratio, smallest)
    if inside(values, rule):
        return Finding("OK", ratio, smallest)
    more = max(1, pairs_needed(evidence.spread, rule.gap, alpha, rule.power) - len(values))
    return Finding("INCONCLUSIVE", ratio, smallest, more)


def ratio_of(differences: Sequence[float]) -> Interval:
    """New ÷ base and its 95% interval; ends that so few pairs do not have are None."""
    middle, low, high = centre(differences), lower(differences, 0.975), upper(differences, 0.975)
    n = len(differences)
    if math.isinf(high):
        return Interval(math.exp(middle), None, None, None, n, n)
    return Interval(math.exp(middle), math.exp(low), math.exp(high), math.expm1((high - low) / 2), n, n)
