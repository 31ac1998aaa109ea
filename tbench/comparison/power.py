"""What a comparison that decided nothing could have seen, and how many rounds would have been enough.

The usual planning formula: a slow-down is confirmed with probability `POWER` where it lies past the tolerance by the
quantile of the test plus that of the power, in standard errors (Cohen 1988, "Statistical power analysis", §2; here
with Student's quantiles for both, which few rounds need). The medians' price is in the error, so the true power is
rather higher.
"""

from __future__ import annotations

import math
from bisect import bisect_left

from tbench.analysis.statistics import t_quantile
from tbench.comparison.ratio import Ratio, exp

POWER = 0.9
EFFECT = 2  # a slow-down of this many tolerances is what a comparison should be able to see
MOST = 99  # rounds a side; whoever needs more needs a quieter machine


def smallest_change(ratio: Ratio, tolerance: float, alpha: float) -> float:
    """The smallest slow-down (0.12: 12%) that these rounds would have shown to be past `tolerance`, by a test at level
    `alpha`; infinite where they could show none."""
    return exp(math.log1p(tolerance) + _reach(ratio, alpha)) - 1


def rounds_needed(ratio: Ratio, tolerance: float, alpha: float) -> int | None:
    """Rounds a side, as noisy as these, that would show a slow-down of `EFFECT` tolerances; None: more than `MOST`."""
    gap = math.log1p(EFFECT * tolerance) - math.log1p(tolerance)
    counts = range(2, MOST + 1)
    place = bisect_left(counts, True, key=lambda rounds: _reach(ratio, alpha, rounds) <= gap)
    return counts[place] if place < len(counts) else None


def _reach(ratio: Ratio, alpha: float, rounds: int | None = None) -> float:
    freedom = ratio.freedom(rounds)
    return (t_quantile(1 - alpha, freedom) + t_quantile(POWER, freedom)) * ratio.error(rounds)
