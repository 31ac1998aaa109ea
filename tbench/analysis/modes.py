"""Whether samples, or whole processes, fall into two groups: a median describes neither, and a reader must know."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from tbench.analysis.statistics import MEDIAN_EFFICIENCY, Interval, Rounds, deviation

MIN_SAMPLES = 20  # below, chance alone often looks like two groups
MIN_SHARE = 0.1  # a smaller group is outliers, not a mode
MIN_DISTANCE = 0.05  # relative: closer modes do not change what a reader concludes
MIN_SEPARATION = 4.0  # Ashman's D; 2 separates two normals, but the best split of *one* uniform already gives 3.5
MAX_BETWEEN = 0.05  # share of samples in the middle third between the two means: the valley is empty

MIN_PROCESSES = 8  # below, chance alone often looks like two groups
PROCESS_SHARE = 0.2  # and two processes at least: a smaller group is outliers
ALIKE = 0.01  # processes of one group agree to this, or to what their turns explain
EXPLAINED = 2.0  # standard errors of a round's median
OWN_SIDE = 0.9  # share of turns on their process's side of the middle


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
    if logs[-1] - logs[0] < math.log1p(MIN_DISTANCE):  # means cannot be further apart than that
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


def two_groups_of_processes(rounds: Rounds) -> Modes | None:
    """The two groups into which whole processes fall, or None when one describes them (or there are too few to tell).

    `rounds`: per process the logarithms of its turns' medians. The sorted round medians are split where the variance
    inside the two parts is smallest (Otsu 1979), with R rounds, d the distance of the parts' means and s the standard
    deviation inside them. The split is believed when all of this is so:

    - each part has a fifth of the processes, and two at least; d is more than 5%;
    - d > (3 + 30/R) · s: the best split of *one* normal or uniform sample is rarely that clear (the smaller R, the more
      often; hence 30/R);
    - s is below 1%, or below twice the standard error of a round's median as its turns scatter,
      1.2533 · (median standard deviation of a round's turns) / √turns: inside a part processes do not differ further.
      Processes that differ *gradually* by 5% are split by chance into parts that are wider than this;
    - 90% of the turns lie on their process's side of the middle: it is the process that is slow, not one turn of it.

    By simulation at 8, 10, 12 and 18 rounds of four turns it is said of at most 2% of cases of one group: processes 3%,
    5% or 10% apart, normal, uniform, exponential or t with 3 degrees of freedom, 15% of rounds slower, or one turn in
    twenty 30% slower (3% at ten rounds of two turns). Of processes of which 50% (30%) are 10% slower it finds, at 8 and
    12 rounds, 9 of 10 (7 of 10) where turns scatter by 1% and processes of a group by 0.5%; half and 8 of 10 (4 and 6
    of 10) where it is 2% and 1%; hardly any where processes of a group differ by 2% too.
    """
    filled = [values for values in rounds if values]
    count = len(filled)
    if count < MIN_PROCESSES or min(map(len, filled)) < 2:
        return None
    ordered = sorted(filled, key=statistics.median)
    medians = [statistics.median(values) for values in ordered]
    least = max(2, math.ceil(PROCESS_SHARE * count))
    split = min(range(least, count - least + 1), key=lambda k: _squares(medians[:k]) + _squares(medians[k:]))
    slow, fast = medians[split:], medians[:split]
    low, high = statistics.fmean(fast), statistics.fmean(slow)
    spread = math.sqrt((_squares(fast) + _squares(slow)) / (count - 2))
    turns = statistics.median(deviation(values) / math.sqrt(len(values)) for values in filled)
    distance, middle = high - low, (low + high) / 2
    own = sum(value < middle for values in ordered[:split] for value in values) + sum(
        value > middle for values in ordered[split:] for value in values
    )
    believed = (
        distance > math.log1p(MIN_DISTANCE)
        and distance > (3 + 30 / count) * spread
        and spread < max(ALIKE, EXPLAINED * MEDIAN_EFFICIENCY * turns)
        and own >= OWN_SIDE * sum(map(len, filled))
    )
    return Modes(math.exp(low), math.exp(high), split / count, 1 - split / count) if believed else None


def without_ends(found: Interval) -> Interval:
    """The interval as it is told where processes fall into two groups: none holds for either."""
    return replace(found, low=None, high=None, relative_half_width=None)


def _squares(values: Sequence[float]) -> float:
    mean = statistics.fmean(values)
    return sum((value - mean) ** 2 for value in values)
