"""Contrasts of logarithms: how a quantity grows with a size, and how two that were not taken side by side compare."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from tbench.analysis.statistics import deviation, t_quantile
from tbench.claims.verdict import Estimate


def contrast(
    coefficients: Sequence[float], samples: Sequence[Sequence[float]], confidence: float = 0.95
) -> tuple[float, float | None, int]:
    """Σ cᵢ · mean(samplesᵢ) of independent samples: its value, the half-width of its interval, its smallest sample.

    Variances may differ: degrees of freedom by Welch and Satterthwaite (Satterthwaite 1946, "An approximate
    distribution of estimates of variance components", eq. 17; Welch 1947), rounded down. The half-width is None where
    a sample that counts has one value only.
    """
    value = sum(c * statistics.fmean(values) for c, values in zip(coefficients, samples, strict=True))
    counted = [(c, values) for c, values in zip(coefficients, samples, strict=True) if c]
    least = min(len(values) for _, values in counted)
    if least < 2:
        return value, None, least
    parts = [(c * c * deviation(values) ** 2 / len(values), len(values) - 1) for c, values in counted]
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return value, 0.0, least
    df = max(1, math.floor(1 / sum((part / variance) ** 2 / freedom for part, freedom in parts)))
    return value, t_quantile((1 + confidence) / 2, df) * math.sqrt(variance), least


def slope(sizes: Sequence[float], samples: Sequence[Sequence[float]]) -> Estimate:
    """Exponent of growth: slope of the least-squares line through (log size, mean log value), with 95% interval.

    `samples`: per size the logarithms of its round medians. The slope is a linear contrast of the sizes' means, with
    coefficients (xᵢ − x̄) / Σ(xⱼ − x̄)², so the interval comes from how rounds differ at each size, not from how well a
    line fits: a curve has an honest slope only between the sizes that were measured.
    Raises ValueError for fewer than two different sizes.
    """
    logs = [math.log(size) for size in sizes]
    middle = statistics.fmean(logs)
    spread = sum((x - middle) ** 2 for x in logs)
    if spread == 0:
        raise ValueError("a slope needs two different sizes")
    value, half, least = contrast([(x - middle) / spread for x in logs], samples)
    return _estimate(value, half, least)


def exact_slope(sizes: Sequence[float], values: Sequence[float]) -> Estimate:
    """The same of figures that are counted, not sampled (bytes)."""
    found = slope(sizes, [[math.log(value)] for value in values])
    return Estimate.exactly(found.value)


def overtakes(sizes: Sequence[float], times: Sequence[float]) -> float:
    """The size N at which b·N² becomes more than a·N, for the a·N + b·N² nearest to `times`: a ÷ b.

    Least squares of the relative errors, with a, b ≥ 0, so that a short call counts as much as a long one: linear in a
    and b, as Σ (a·N/t + b·N²/t − 1)². Infinite without a square, 0 without a multiple. Raises ValueError for fewer than
    two different sizes, and for times that are not positive.
    """
    if len(set(sizes)) < 2 or min(times) <= 0:
        raise ValueError("a fit of two terms needs two different sizes, and positive times")
    line = [n / t for n, t in zip(sizes, times, strict=True)]
    square = [n * n / t for n, t in zip(sizes, times, strict=True)]
    pairs = ((line, line), (line, square), (square, square))
    ll, ls, ss = (math.fsum(x * y for x, y in zip(*pair, strict=True)) for pair in pairs)
    a = math.fsum(line) * ss - math.fsum(square) * ls  # by Cramer's rule, without the determinant they share
    b = math.fsum(square) * ll - math.fsum(line) * ls
    if b <= 0:
        return math.inf
    return max(a, 0.0) / b


def unpaired_ratio(base: Sequence[float], tested: Sequence[float]) -> Estimate:
    """base ÷ tested of two cases that did not take turns, from the logarithms of their round medians."""
    value, half, least = contrast((1.0, -1.0), (base, tested))
    if half is None:
        return Estimate(math.exp(value), None, None, least, "rounds")
    return Estimate(math.exp(value), math.exp(value - half), math.exp(value + half), least, "rounds")


def _estimate(value: float, half: float | None, n: int) -> Estimate:
    if half is None:
        return Estimate(value, None, None, n, "rounds")
    return Estimate(value, value - half, value + half, n, "rounds")
