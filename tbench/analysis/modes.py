"""Whether samples fall into two groups: then a median describes neither, and a reader must know."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

MIN_SAMPLES = 20  # below, chance alone often looks like two groups
MIN_SHARE = 0.1  # a smaller group is outliers, not a mode
MIN_DISTANCE = 0.05  # relative: closer modes do not change what a reader concludes
MIN_SEPARATION = 4.0  # Ashman's D; 2 separates two normals, but the best split of *one* uniform already gives 3.5
MAX_BETWEEN = 0.05  # share of samples in the middle third between the two means: the valley is empty


@dataclass(frozen=True)
class Modes:
    """Two groups of samples: their geometric means in the unit of the samples and their shares (sum 1)."""

    low: float
    high: float
    low_share: float
    high_share: float


def two_modes(samples: Iterable[float]) -> Modes | None:
    """The two modes of positive `samples`, or None when one describes them (or there are too few to tell).

    The sorted logarithms are split where the variance inside the two parts is smallest (Otsu 1979), and the split
    is believed when the parts are far apart against their spread (Ashman's D, Ashman et al. 1994) *and* hardly a
    sample lies between them. By simulation it flags up to 2% of unimodal runs of 40 samples, 4% where processes
    differ among themselves, 5% at 20 samples. It only ever leads to a note: no sample is removed.
    """
    logs = sorted(math.log(sample) for sample in samples)
    count = len(logs)
    if count < MIN_SAMPLES:
        return None
    origin = logs[count // 2]
    logs = [value - origin for value in logs]  # small numbers: the sums of squares below keep their digits
    sums = list(accumulate(logs))
    squares = list(accumulate(value * value for value in logs))
    least = math.ceil(MIN_SHARE * count)

    def parts(k: int) -> tuple[float, float, float, float]:
        """Means and variances of the first k and of the rest."""
        rest = count - k
        low, high = sums[k - 1] / k, (sums[-1] - sums[k - 1]) / rest
        return (
            low,
            high,
            max(squares[k - 1] / k - low * low, 0.0),
            max((squares[-1] - squares[k - 1]) / rest - high * high, 0.0),
        )

    def inside(k: int) -> float:
        _, _, low_variance, high_variance = parts(k)
        return k * low_variance + (count - k) * high_variance

    split = min(range(least, count - least + 1), key=inside)
    low, high, low_variance, high_variance = parts(split)
    distance = high - low
    if distance < math.log1p(MIN_DISTANCE):
        return None
    if distance * math.sqrt(2) < MIN_SEPARATION * math.sqrt(low_variance + high_variance):
        return None
    between = sum(low + distance / 3 < value < high - distance / 3 for value in logs)
    if between > MAX_BETWEEN * count:
        return None
    share = split / count
    return Modes(math.exp(low + origin), math.exp(high + origin), share, 1 - share)
