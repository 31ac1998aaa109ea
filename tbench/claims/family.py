"""One correction for all verdicts of the headline: the more are asked for, the more would be wrong by chance. Pure.

A verdict is a region between two borders ("at least 2×", "below 1×"). By itself it stands if a 95% interval lies inside
the region; its p-value is that of the border nearest to the estimate. Holm's procedure over all of them keeps the
chance that any border of the headline is on the wrong side below 5%, whatever their dependence: half of it for what is
timed, and half for what is trained, so that a further length to be timed costs a comparison of losses nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence

from tbench.analysis.statistics import holm, t_quantile, t_survival
from tbench.claims.model import AtLeast, AtMost, Equivalent, Exact, Range, Rule, Superior
from tbench.claims.observation import Observation
from tbench.claims.verdict import NARROW, Estimate, Verdict, needed

FAMILY_ALPHA = 0.05  # of all families together
UNDECIDED = (Verdict.INCONCLUSIVE, Verdict.NOT_MEASURED)


def stands(groups: Sequence[Sequence[tuple[Rule, Verdict, Observation]]], alpha: float = FAMILY_ALPHA) -> list[bool]:
    """Which verdicts of a family stand at `alpha`, those of a group together, by the weakest of them. What is open has
    nothing to take back."""
    p_values = [max(map(weight, group)) for group in groups]
    opened = [all(verdict in UNDECIDED for _, verdict, _ in group) for group in groups]
    return [one or p < alpha for one, p in zip(opened, holm(p_values), strict=True)]


def weight(result: tuple[Rule, Verdict, Observation]) -> float:
    """The p-value of a verdict; 1 of one that is open."""
    rule, verdict, one = result
    if verdict in UNDECIDED:
        return 1.0
    return p_value(one.estimate, list(borders(rule, verdict, one))) / sides(rule, verdict)


def enough(rule: Rule, verdict: Verdict, one: Observation, family: int, alpha: float = FAMILY_ALPHA) -> float:
    """With how many replicates a verdict would stand as the clearest of `family`, if more of them narrow the interval
    and leave the estimate where it is; infinite where no sensible number would do. Twice as many where the interval is
    not closed: nothing says by how much."""
    if not math.isfinite(one.estimate.high or math.inf):
        return 2 * one.estimate.n
    away = distance(one.estimate, list(borders(rule, verdict, one)))
    return needed(one.estimate.n, 1.0, away, sides(rule, verdict) * alpha / family)


def sides(rule: Rule, verdict: Verdict) -> int:
    """That two arms are equal is shown by two tests of which each has one side (`quality`)."""
    equal = (Equivalent, Verdict.CONFIRMED), (Superior, Verdict.NO_EFFECT)
    return 2 if (type(rule), verdict) in equal else 1


def borders(rule: Rule, verdict: Verdict, one: Observation) -> Iterator[float]:
    """What the verdict says the true value is on the right side of."""
    if isinstance(rule, Superior):
        assert one.paired is not None
        effect = rule.effect * statistics.fmean(one.paired.base)
        if verdict is Verdict.NO_EFFECT:
            yield -effect
        else:
            yield 0.0
        if verdict is not Verdict.PARTLY or one.paired.tested_diverged <= one.paired.base_diverged:
            yield effect  # better, but diverging more often, is not about how much better
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

    The error comes from the 95% interval: its half-width on that side is t(n − 1) of them.
    """
    if estimate.low is None or estimate.high is None or estimate.n < 2:
        return 1.0
    if estimate.low == estimate.high:  # sampled values that tie, as shares do: a sign test is left
        return min(1.0, 2.0 ** (1 - estimate.n))
    df = estimate.n - 1
    return min(1.0, 2 * t_survival(t_quantile(0.975, df) * distance(estimate, borders), df))


def distance(estimate: Estimate, borders: Sequence[float]) -> float:
    """How many half-widths of its interval the nearest border is away; 0 where the interval is not closed.

    In logarithms where the interval is symmetric there, as those of ratios are.
    """
    value, low, high = estimate.value, estimate.low, estimate.high
    assert low is not None and high is not None
    if not all(map(math.isfinite, (value, low, high))):
        return 0.0
    ratio = low > 0 and abs(math.sqrt(low * high) - value) < abs((low + high) / 2 - value)
    if ratio:
        value, low, high = (math.log(x) for x in (value, low, high))
        borders = [math.log(border) if border > 0 else -math.inf for border in borders]
    pairs = [(abs(value - border), value - low if border < value else high - value) for border in borders]
    return min(away / width if width > 0 else math.inf for away, width in pairs)
