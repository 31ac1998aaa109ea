"""Medians, their intervals and their ratios, as pure functions on logarithms of turn medians.

The unit of replication is the *round*, a fresh process: samples inside one process are not independent, and what
differs from process to process (addresses, thread placement) is often the larger part of the variance (Kalibera
& Jones 2013, "Rigorous benchmarking in reasonable time", §4; Georges et al. 2007). So the width comes from how the
rounds differ, never from the number of samples.

The interval is

    median of all turns  ×÷  exp( t(R − 1) · 1.2533 · s / √R ),      s = standard deviation of the R round medians,

where 1.2533 = √(π/2) is the price of the median against the mean for a normal distribution. Chosen by simulation
(`tests/analysis/test_coverage.py`) over the one-way analysis of variance of the turns, t · 1.2533 · √(max(MSB, MSW)/n):
as simple, but an outlying turn (+30%, one in twenty) does not widen it, which saves 15–30% of the rounds, and
two rounds that agree by chance do not make it 92%. At a fixed number of rounds it covers 96–98%, more than the 95%
it says; the surplus is what stopping at a target costs (`tbench.analysis.stopping`, where the rule is).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

MEDIAN_EFFICIENCY = math.sqrt(math.pi / 2)

Rounds = Sequence[Sequence[float]]  # per round (a fresh process), the logarithms of its turns' medians


@dataclass(frozen=True)
class Interval:
    """A median with its confidence interval, in the unit of the input (not its logarithm).

    `low`, `high` and `relative_half_width` (0.02: the upper end is 2% above the estimate) are None when one value
    is all there is. With `n_rounds` 1 the interval knows only the variation inside that one process.
    """

    estimate: float
    low: float | None
    high: float | None
    relative_half_width: float | None
    n_rounds: int
    n: int


def interval(rounds: Rounds, confidence: float = 0.95) -> Interval:
    """Median of all turns with its interval; see the module for the formula and where it comes from.

    `rounds`: per round the logarithms of the turns' medians; rounds may differ in length, empty ones are ignored.
    With one round the turns themselves are the replicates. Raises ValueError when there is no value at all.
    """
    filled = [values for values in rounds if values]
    if not filled:
        raise ValueError("no turn to take a median of")
    values = [value for one in filled for value in one]
    centre = statistics.median(values)
    replicates = [statistics.median(one) for one in filled] if len(filled) > 1 else values
    count = len(replicates)
    if count < 2:
        return Interval(math.exp(centre), None, None, None, len(filled), len(values))
    spread = deviation(replicates)
    half = t_quantile((1 + confidence) / 2, count - 1) * MEDIAN_EFFICIENCY * spread / math.sqrt(count)
    return Interval(
        estimate=math.exp(centre),
        low=math.exp(centre - half),
        high=exp(centre + half),
        relative_half_width=exp(half) - 1,
        n_rounds=len(filled),
        n=len(values),
    )


def deviation(values: Sequence[float]) -> float:
    """Standard deviation of a sample of two or more, in floats: logarithms do not need the exact fractions that make
    `statistics.stdev` ten times slower."""
    moved = [value - values[0] for value in values]  # exactly 0 where all are equal
    mean = statistics.fmean(moved)
    return math.sqrt(math.fsum([(value - mean) ** 2 for value in moved]) / (len(moved) - 1))


def ratio(base: Rounds, case: Rounds, confidence: float = 0.95) -> Interval:
    """Speed-up of `case` over `base`, base time ÷ case time, from turns that were taken side by side.

    Both have the same shape: the same rounds, in them the same turns (`tbench.analysis.turns.paired` gives that).
    The logarithm of the ratio is taken turn by turn, so what both felt alike cancels. Raises ValueError otherwise.
    """
    if [len(turns) for turns in base] != [len(turns) for turns in case]:
        raise ValueError("a ratio needs paired turns: both sides must have the same turns in the same rounds")
    return interval(differences(base, case), confidence)


def differences(base: Rounds, case: Rounds) -> list[list[float]]:
    """The logarithms of base ÷ case, turn by turn, of sides of the same shape."""
    return [[b - c for b, c in zip(*turns, strict=True)] for turns in zip(base, case, strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979, "A simple sequentially rejective multiple test procedure"), in the same order."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


@lru_cache(maxsize=1024)
def t_quantile(p: float, df: int) -> float:
    """Quantile of Student's t for 0.5 ≤ p < 1 and a whole number of degrees of freedom.

    The finite series of Abramowitz & Stegun 26.7.3–4, bisected: exact to rounding, and without the 0.4 s that
    importing scipy costs a run.
    """
    if df < 1 or not 0.5 <= p < 1:
        raise ValueError(f"no t quantile for p={p} and {df} degrees of freedom")
    low, high = 0.0, math.pi / 2
    while (middle := (low + high) / 2) not in (low, high):
        if _two_sided(middle, df) < 2 * p - 1:
            low = middle
        else:
            high = middle
    return math.sqrt(df) * math.tan(low)


def t_survival(t: float, df: int) -> float:
    """P(T > t) for Student's t with a whole number of degrees of freedom: the p-value of a one-sided test."""
    if df < 1:
        raise ValueError(f"no t distribution with {df} degrees of freedom")
    two_sided = _two_sided(math.atan(abs(t) / math.sqrt(df)), df)
    return (1 - two_sided) / 2 if t > 0 else (1 + two_sided) / 2


def _two_sided(angle: float, df: int) -> float:
    """P(|T| < t) for t = √df · tan(angle)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = df % 2
    term = cosine if odd else 1.0
    total = term if df > 1 else 0.0
    for k in range(3 if odd else 2, df - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def exp(x: float) -> float:
    """e to the x, infinite where that is more than a float holds."""
    return math.exp(x) if x < 709 else math.inf
