"""The ratio of two times that were measured apart: in other processes, at another time.

Turns have no partners here, so nothing cancels as it does in a speed-up. But every round is a fresh process, and so
the rounds of either side are independent replicates (Kalibera & Jones 2013, "Rigorous benchmarking in reasonable
time"). On logarithms of turn medians, for sides with R₁ and R₂ rounds:

    d  = median of all turns of the new side − that of the base
    e  = 1.2533 · √(v₁ + v₂),                        v = s²/R, s = standard deviation of the round medians
    df = ⌊(v₁ + v₂)² / (v₁²/(R₁ − 1) + v₂²/(R₂ − 1))⌋

and (d − true) / e is taken for Student's t with df degrees of freedom: the sides may differ in noise and in rounds
(Satterthwaite 1946, "An approximate distribution of estimates of variance components"; Welch 1947, "The
generalization of 'Student's' problem when several different population variances are involved"). 1.2533 = √(π/2) is
the price of a median, as in `tbench.analysis.statistics`. `tests/comparison/test_error_rates.py` simulates it.

What all rounds of a run have in common (a warm room, a neighbour, where memory lay after the last boot) is in neither
s. The tolerance is for that; who needs proof measures both sides in turns, in one run.

What a comparison that decided nothing could have seen, and how many rounds would have been enough, is the usual
planning formula: a slow-down is confirmed with probability `POWER` where it lies past the tolerance by the quantile of
the test plus that of the power, in standard errors (Cohen 1988, "Statistical power analysis", §2; here with Student's
quantiles for both, which few rounds need). The medians' price is in the error, so the true power is rather higher.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from dataclasses import dataclass
from itertools import chain

from tbench.analysis.statistics import MEDIAN_EFFICIENCY, Interval, Rounds, exp, t_quantile, t_survival

ROUNDING = 1e-9  # 3.9999999999 degrees of freedom are 4
POWER = 0.9
EFFECT = 2  # a slow-down of this many tolerances is what a comparison should be able to see
MOST = 99  # rounds per side; whoever needs more needs a quieter machine


@dataclass(frozen=True)
class Side:
    """One run's turns of a case: their median, how the medians of rounds spread (None: one round only)."""

    centre: float
    spread: float | None
    rounds: int
    turns: int

    @staticmethod
    def of(rounds: Rounds) -> Side:
        """`rounds`: per round the logarithms of its turns' medians. Raises ValueError without any."""
        filled = [turns for turns in rounds if turns]
        values = list(chain.from_iterable(filled))
        if not values:
            raise ValueError("no turn to take a median of")
        medians = [statistics.median(turns) for turns in filled]
        spread = statistics.stdev(medians) if len(medians) > 1 else None
        return Side(statistics.median(values), spread, len(filled), len(values))

    def variance(self, rounds: int | None = None) -> float:
        """Variance of the mean of its rounds' medians; with `rounds`, if it had so many. Needs a spread."""
        assert self.spread is not None
        return self.spread**2 / (rounds or self.rounds)


@dataclass(frozen=True)
class Ratio:
    """New ÷ base of one case, on logarithms. `error`, `freedom` and tests need two rounds on both sides (`known`)."""

    base: Side
    new: Side

    @property
    def known(self) -> bool:
        return self.base.spread is not None and self.new.spread is not None

    @property
    def distance(self) -> float:
        return self.new.centre - self.base.centre

    def error(self, rounds: int | None = None) -> float:
        """Standard error of `distance`; with `rounds`, if each side had so many of them, as noisy as now."""
        return MEDIAN_EFFICIENCY * math.sqrt(self.base.variance(rounds) + self.new.variance(rounds))

    def freedom(self, rounds: int | None = None) -> int:
        """Degrees of freedom of `error`, rounded down."""
        sides = [(side.variance(rounds), (rounds or side.rounds) - 1) for side in (self.base, self.new)]
        whole = sum(variance for variance, _ in sides)
        if whole == 0:
            return sum(others for _, others in sides)
        shares = sum((variance / whole) ** 2 / others for variance, others in sides)
        return max(1, math.floor(1 / shares + ROUNDING))


def between(base: Rounds, new: Rounds) -> Ratio:
    """The ratio of two sides. Raises ValueError where one has no turn."""
    return Ratio(Side.of(base), Side.of(new))


def interval(ratio: Ratio, confidence: float = 0.95) -> Interval:
    """New ÷ base with its interval; without ends where a side has one round only: how processes differ is unknown.

    `n_rounds` is that of the side with fewer, `n` the turns of both.
    """
    centre = ratio.distance
    rounds, turns = min(ratio.base.rounds, ratio.new.rounds), ratio.base.turns + ratio.new.turns
    if not ratio.known:
        return Interval(math.exp(centre), None, None, None, rounds, turns)
    half = t_quantile((1 + confidence) / 2, ratio.freedom()) * ratio.error()
    return Interval(
        math.exp(centre), math.exp(centre - half), exp(centre + half), exp(half) - 1, n_rounds=rounds, n=turns
    )


def p_above(ratio: Ratio, bound: float) -> float:
    """p-value of the one-sided test of "the logarithm of the ratio is at most `bound`"."""
    return _p(ratio.distance - bound, ratio)


def p_below(ratio: Ratio, bound: float) -> float:
    """p-value of the one-sided test of "the logarithm of the ratio is at least `bound`"."""
    return _p(bound - ratio.distance, ratio)


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


def _p(past: float, ratio: Ratio) -> float:
    error = ratio.error()
    if error == 0:
        return 0.0 if past > 0 else 1.0
    return t_survival(past / error, ratio.freedom())


def _reach(ratio: Ratio, alpha: float, rounds: int | None = None) -> float:
    freedom = ratio.freedom(rounds)
    return (t_quantile(1 - alpha, freedom) + t_quantile(POWER, freedom)) * ratio.error(rounds)
