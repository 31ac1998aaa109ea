"""Whether paired differences lie above a bound: Wilcoxon's signed-rank test, exact, with its bounds.

Under the hypothesis that the differences are symmetric about a bound, each could as well have come with the other
sign: all 2ⁿ ways to give signs to the ranks are equally likely, so the distribution of their sum is known exactly,
whatever the noise looks like (Wilcoxon 1945; Hollander, Wolfe & Chicken 2014, §3.1–3.3). Ranks instead of the values
themselves, because one disturbed pair in twenty must not hide a regression or make one.

The statistic is counted in *Walsh averages*, the means of all pairs of values with themselves and each other: as many
of them lie above the bound as the positive ranks sum to. Their median estimates the centre, and their order gives the
confidence bounds that fit the test.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

EFFICIENCY = 3 / math.pi  # against the t-test, for normal differences: so many more pairs tell as much


def centre(values: Sequence[float]) -> float:
    """Hodges & Lehmann's estimate: the median of the Walsh averages. Raises ValueError without a value."""
    if not values:
        raise ValueError("no difference to take the centre of")
    return statistics.median(walsh(values))


def p_above(values: Sequence[float], bound: float) -> float:
    """p-value of the one-sided test of "the centre is at most `bound`"; 1 without values."""
    averages = walsh(values)
    return tail(len(values))[len(averages) - bisect_right(averages, bound)]


def p_below(values: Sequence[float], bound: float) -> float:
    """p-value of the one-sided test of "the centre is at least `bound`"."""
    return tail(len(values))[bisect_left(walsh(values), bound)]


def upper(values: Sequence[float], confidence: float = 0.95) -> float:
    """The bound that the centre lies below with at least this confidence; infinite for too few values."""
    enough = critical(len(values), confidence)
    return math.inf if enough is None else walsh(values)[enough - 1]


def lower(values: Sequence[float], confidence: float = 0.95) -> float:
    """The bound that the centre lies above with at least this confidence; minus infinity for too few values."""
    enough = critical(len(values), confidence)
    return -math.inf if enough is None else walsh(values)[-enough]


def critical(n: int, confidence: float) -> int | None:
    """The least sum of positive ranks that the hypothesis gives with a probability of at most 1 − confidence."""
    at = bisect_left(tail(n), confidence - 1, key=lambda p: -p)
    return at if at < len(tail(n)) else None


def walsh(values: Sequence[float]) -> tuple[float, ...]:
    """The n(n + 1)/2 means of two values (a value with itself too), ascending."""
    return averages_of(tuple(values))


@lru_cache(maxsize=32)  # a decision asks for its p-value, its centre and both bounds
def averages_of(values: tuple[float, ...]) -> tuple[float, ...]:
    ordered = sorted(values)  # then the means are ascending runs, which are sorted quickly
    return tuple(sorted([(a + b) / 2 for i, a in enumerate(ordered) for b in ordered[i:]]))


@lru_cache(maxsize=256)
def tail(n: int) -> tuple[float, ...]:
    """P(W ≥ w) for w from 0 to n(n + 1)/2, W the sum of the positive ranks of n differences."""
    ways = [1]  # to reach each sum with the ranks so far
    for rank in range(1, n + 1):
        longer = ways + [0] * rank
        for total, count in enumerate(ways):
            longer[total + rank] += count
        ways = longer
    above, tails = 0, []
    for count in reversed(ways):
        above += count
        tails.append(above / 2**n)
    return tuple(reversed(tails))


def pairs_needed(spread: float, gap: float, alpha: float, power: float) -> int:
    """How many pairs show a centre `gap` above the bound with probability `power`, by a test at level `alpha`.

    `spread`: standard deviation of a pair's difference, on the scale of `gap`. The normal approximation, with the z²/2
    that a test needs more which must estimate its own spread (Guenther 1981).
    """
    wide = (z(1 - alpha) + z(power)) * spread / gap
    return math.ceil(wide**2 / EFFICIENCY + z(1 - alpha) ** 2 / 2)


def detectable(spread: float, pairs: int, alpha: float, power: float) -> float:
    """The distance from the bound that so many pairs show with probability `power`: `pairs_needed` turned around."""
    useful = max(1.0, pairs - z(1 - alpha) ** 2 / 2)
    return (z(1 - alpha) + z(power)) * spread / math.sqrt(useful * EFFICIENCY)


def cautious_spread(values: Sequence[float]) -> float:
    """A standard deviation that the true one exceeds only once in four times, for sizing: few values often show less.

    By the chi-square distribution of a variance (normal differences), its quantile as Wilson & Hilferty (1931) have it.
    0 with fewer than two values.
    """
    if len(values) < 2:
        return 0.0
    df = len(values) - 1
    quantile = df * (1 - 2 / (9 * df) + z(0.25) * math.sqrt(2 / (9 * df))) ** 3
    return statistics.stdev(values) * math.sqrt(df / quantile)


def z(p: float) -> float:
    """Quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(p)
