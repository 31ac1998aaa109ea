"""Whether the machine changed while a case was measured: then rounds are not independent, and no interval knows.

Two signs, each of which must be significant *and* large enough to matter.

**Wander**: neighbouring rounds resemble each other. With x̄ the mean of the R round medians and Δ their successive
differences, von Neumann's ratio gives z = (1 − ΣΔ² / 2Σ(x − x̄)²) · √((R² − 1) / (R − 2)), about normal from eight
rounds on where rounds are independent (von Neumann 1941, "Distribution of the ratio of the mean square successive
difference to the variance"; Young 1941, "On randomness in ordered sequences"). Asked one-sided at 1%.

**First**: the first round lies outside what the others predict: t = |x₁ − x̄'| / (s' · √(1 + 1/(R − 1))) with x̄' and s'
of the R − 1 others, asked two-sided at 0.2%, and is further from each of them than they are from each other (so that
heavy tails are not taken for it): many machines slow down, or speed up, as they get warm.

In simulation wander is reported for 0.3–1.1% of cases whose rounds are independent, whatever the kind of noise, at 8 to
18 rounds. It finds a ramp of 5% over 8, 12 or 18 rounds with 1% of noise in 42, 73 and 91%, one of 10% always; a
slow random walk (autocorrelation 0.8, 3%) in 10, 29 and 55%: no note does not mean no drift. Both signs
together are told of 0.2–1.4% of cases at 5 to 18 rounds, 2.6% where noise is exponential, and 3–5% where 15% of rounds
are hit by something else (the first as well as any other: then it did stand apart). A first round 10% slower is found
in 44% at 5 rounds with 1% of noise, in 98% from 8 on.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from tbench.analysis.statistics import deviation, t_survival

MIN_ROUNDS = 8  # for wander; below, z is far from normal and the power is nil
FEWEST_FOR_FIRST = 5
WANDER_Z = 2.326
FIRST_P = 0.001  # in either direction
LEAST = 0.03  # relative: what is smaller does not change what a reader concludes


class Drift(NamedTuple):
    """`by`: relative distance of the slowest from the fastest stretch; for `first` of the first round from the others,
    below 0 where it was faster."""

    kind: Literal["wander", "first"]
    by: float


def drift(medians: Sequence[float]) -> Drift | None:
    """What the logarithms of round medians, in the order of the rounds, tell of a drift; None: nothing."""
    return _wander(medians) or _first(medians)


def _wander(medians: Sequence[float]) -> Drift | None:
    count = len(medians)
    if count < MIN_ROUNDS:
        return None
    mean = statistics.fmean(medians)
    squares = sum((value - mean) ** 2 for value in medians)
    steps = sum((after - before) ** 2 for before, after in pairwise(medians))
    if squares == 0:
        return None
    z = (1 - steps / (2 * squares)) * math.sqrt((count * count - 1) / (count - 2))
    smooth = [statistics.median(medians[i : i + 3]) for i in range(count - 2)]
    by = math.expm1(max(smooth) - min(smooth))
    return Drift("wander", by) if z > WANDER_Z and by > LEAST else None


def _first(medians: Sequence[float]) -> Drift | None:
    count = len(medians)
    if count < FEWEST_FOR_FIRST:
        return None
    others = medians[1:]
    away = medians[0] - statistics.fmean(others)
    error = deviation(others) * math.sqrt(1 + 1 / (count - 1))
    nearest = min(abs(medians[0] - other) for other in others)
    if nearest <= max(others) - min(others):
        return None
    p = t_survival(abs(away) / error, count - 2) if error > 0 else 0.0
    return Drift("first", math.expm1(away)) if p < FIRST_P and abs(away) > math.log1p(LEAST) else None
