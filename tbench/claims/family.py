"""One correction for all verdicts of the headline: the more are asked for, the more would be wrong by chance. Pure.

A verdict is a region between two borders ("at least 2×", "below 1×"). By itself it stands if a 95% interval lies inside
the region; its p-value is that of the border nearest to the estimate. Holm's procedure over all of them keeps the
chance that any border of the headline is on the wrong side below 5%, whatever their dependence.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence

from tbench.analysis.statistics import t_quantile, t_survival
from tbench.claims.model import AtLeast, AtMost, Equivalent, Exact, Range, Rule, Superior
from tbench.claims.observation import Observation
from tbench.claims.quality import holm
from tbench.claims.verdict import NARROW, Estimate, Verdict

FAMILY_ALPHA = 0.05
UNDECIDED = (Verdict.INCONCLUSIVE, Verdict.NOT_MEASURED)


def stands(results: Sequence[tuple[Rule, Verdict, Observation]]) -> list[bool]:
    """Which verdicts stand; those that are open do, for there is nothing to take back."""
    p_values = [
        1.0 if verdict in UNDECIDED else p_value(one.estimate, list(borders(rule, verdict, one))) / sides(rule)
        for rule, verdict, one in results
    ]
    return [
        verdict in UNDECIDED or p < FAMILY_ALPHA for (_, verdict, _), p in zip(results, holm(p_values), strict=True)
    ]


def sides(rule: Rule) -> int:
    """Equivalence is two tests of which each has one side."""
    return 2 if isinstance(rule, Equivalent) else 1


def borders(rule: Rule, verdict: Verdict, one: Observation) -> Iterator[float]:
    """What the verdict says the true value is on the right side of."""
    if isinstance(rule, Superior):
        assert one.paired is not None
        effect = rule.effect * statistics.fmean(one.paired.base)
        yield from (0.0, effect) if verdict is not Verdict.NO_EFFECT else (-effect, effect)
    elif isinstance(rule, Equivalent):
        yield -rule.margin
        if not rule.better_is_fine:
            yield rule.margin
    elif isinstance(rule, Range):
        narrow = (rule.neutral - NARROW, rule.neutral + NARROW)
        yield from narrow if verdict is Verdict.NO_EFFECT else (rule.neutral, rule.low)
    elif isinstance(rule, AtMost):
        yield from (rule.limit,) if rule.usable is None else (rule.limit, rule.usable)
    elif isinstance(rule, AtLeast):
        yield rule.limit
    elif isinstance(rule, Exact):
        yield from (rule.value - rule.tolerance, rule.value + rule.tolerance)


def p_value(estimate: Estimate, borders: Sequence[float]) -> float:
    """Two-sided p-value of the border that is nearest in standard errors, on either side of the estimate.

    The error comes from the 95% interval: t(n − 1) of them are its half-width on that side, in logarithms where the
    interval is longer above than below, as ratios' are.
    """
    if estimate.low is None or estimate.high is None or estimate.n < 2:
        return 1.0
    if estimate.low == estimate.high:
        return 0.0
    df = estimate.n - 1
    ratio = estimate.low > 0 and estimate.high - estimate.value > estimate.value - estimate.low
    distances = [_distance(estimate, border, ratio) for border in borders]
    return min(1.0, 2 * t_survival(t_quantile(0.975, df) * min(distances), df))


def _distance(estimate: Estimate, border: float, ratio: bool) -> float:
    """How many half-widths of the interval the border is away."""
    assert estimate.low is not None and estimate.high is not None
    value, low, high = estimate.value, estimate.low, estimate.high
    if ratio and border <= 0:
        return math.inf
    if ratio:
        value, low, high, border = (math.log(x) for x in (value, low, high, border))
    width = value - low if border < value else high - value
    return abs(value - border) / width if width > 0 else math.inf
