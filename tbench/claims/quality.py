"""Quality by paired seeds: does one arm learn better than another, as well as it, or fail more often? Pure.

Two arms are compared seed by seed: same data order, same shared initial weights. A run that diverges counts as a
failure of its arm: it enters with the loss it began with (what it learned is worth nothing) and is never dropped.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tbench.analysis.statistics import holm, t_quantile, t_survival
from tbench.claims.model import NOTHING, Equivalent, Superior, Words
from tbench.claims.trial import Trial
from tbench.claims.verdict import Estimate, Judgement, Verdict, needed, undecided

ALPHA = 0.05  # of equivalence, and of no effect
ONE_SIDED = 0.025  # of superiority, in either direction: what an interval of 95% leaves on a side
POWER_Z = 1.2816  # 90% power: the chance to find what is there
ALONE = Words("a single pair of seeds gives no interval", "只有一对种子，没有区间")
BEYOND = Words("better by more than the margin", "优于基线，且超出容差")


@dataclass(frozen=True)
class Paired:
    """Losses of two arms by seed, nats per byte, in the same order of seeds; and how many runs per side diverged."""

    base: tuple[float, ...]
    tested: tuple[float, ...]
    base_diverged: int = 0
    tested_diverged: int = 0

    @staticmethod
    def of(base: Sequence[Trial], tested: Sequence[Trial]) -> Paired:
        return Paired(
            tuple(trial.counted_loss for trial in base),
            tuple(trial.counted_loss for trial in tested),
            sum(trial.diverged for trial in base),
            sum(trial.diverged for trial in tested),
        )

    @property
    def gains(self) -> list[float]:
        """base − tested: above 0 the tested arm is better."""
        return [b - t for b, t in zip(self.base, self.tested, strict=True)]

    @property
    def estimate(self) -> Estimate:
        """Mean gain with 95% interval."""
        return mean_estimate(self.gains, "seeds")

    def said(self) -> Words:
        """What a reader must know about failures."""
        if not self.base_diverged and not self.tested_diverged:
            return NOTHING
        n = len(self.base)
        return Words(
            f"diverged: {self.tested_diverged}/{n} runs (baseline: {self.base_diverged}/{n}), counted at their "
            "initial loss",
            f"发散：被测组{n}次中{self.tested_diverged}次，基线{n}次中{self.base_diverged}次；均按初始损失计入",
        )


def mean_of(several: Sequence[Paired]) -> Paired:
    """Losses averaged over comparisons of the same seeds; a seed in which any run diverged has one that diverged."""
    return Paired(
        tuple(map(statistics.fmean, zip(*(one.base for one in several), strict=True))),
        tuple(map(statistics.fmean, zip(*(one.tested for one in several), strict=True))),
        max(one.base_diverged for one in several),
        max(one.tested_diverged for one in several),
    )


def mean_estimate(values: Sequence[float], unit: str, quantum: float = 0.0) -> Estimate:
    """Mean with its 95% t interval. `quantum`: the step in which values move, where they are counted; they then spread
    by what rounding to it does, if they tie (Sheppard 1898)."""
    mean, n = statistics.fmean(values), len(values)
    if n < 2:
        return Estimate(mean, None, None, n, unit)
    half = t_quantile(0.975, n - 1) * max(statistics.stdev(values), quantum / math.sqrt(12)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n, unit)


def log_ratio_estimate(base: Sequence[float], tested: Sequence[float]) -> Estimate:
    """Geometric mean of base ÷ tested over pairs, with its 95% interval. All values must be above 0."""
    found = mean_estimate([math.log(b / t) for b, t in zip(base, tested, strict=True)], "seeds")
    ends = [None if end is None else math.exp(end) for end in (found.low, found.high)]
    return Estimate(math.exp(found.value), ends[0], ends[1], found.n, "seeds")


def median_estimate(ratios: Sequence[float]) -> Estimate:
    """Median of ratios, which may be 0 or infinite, with its 95% interval by order statistics.

    Whatever the distribution, each value is below the median or above it like a fair coin (Conover 1999, "Practical
    Nonparametric Statistics", §3.2). Fewer than six values leave the interval open at both ends.
    """
    n, ordered = len(ratios), sorted(ratios)
    middle = ordered[(n - 1) // 2], ordered[n // 2]
    value = math.sqrt(middle[0] * middle[1]) if middle != (0.0, math.inf) else 1.0  # in logarithms, half-way
    if n < 2:
        return Estimate(value, None, None, n, "seeds")
    outside = next(k for k in range(n + 1) if sum(math.comb(n, i) for i in range(k + 1)) / 2**n > 0.025)
    low, high = (ordered[outside - 1], ordered[n - outside]) if outside else (0.0, math.inf)
    return Estimate(value, low, high, n, "seeds")


def p_better(gains: Sequence[float]) -> float:
    """p-value of the one-sided paired t-test of "the mean gain is not above 0"; 1 for fewer than two pairs."""
    if len(gains) < 2:
        return 1.0
    mean, error = statistics.fmean(gains), statistics.stdev(gains) / math.sqrt(len(gains))
    if error == 0:
        return 0.0 if mean > 0 else 1.0
    return t_survival(mean / error, len(gains) - 1)


def superior(arms: Sequence[tuple[Paired, Superior]]) -> list[Judgement]:
    """Whether each arm beats the baseline: one-sided paired t at 2.5%, Holm over the arms, and by `rule.effect`.

    By `rule.effect`: all of the 95% interval of the mean gain is there, not the mean alone. If all of it is below, that
    is partly so; if it holds `rule.effect`, there is an effect, but it is open whether it is large enough.

    The other direction is tested in the same way: an arm that is worse is refuted. An arm that diverges more often than
    the baseline cannot be confirmed, however good its other runs are. No effect: 90% interval within ±`rule.effect`.
    """
    better = holm([p_better(arm.gains) for arm, _ in arms])
    worse = holm([p_better([-gain for gain in arm.gains]) for arm, _ in arms])
    return [_superior(arm, rule, up, down) for (arm, rule), up, down in zip(arms, better, worse, strict=True)]


def _superior(arm: Paired, rule: Superior, p_up: float, p_down: float) -> Judgement:
    gains, n = arm.gains, len(arm.gains)
    if n < 2:
        return Judgement(Verdict.INCONCLUSIVE, ALONE, more=2)
    mean, threshold = statistics.fmean(gains), rule.effect * statistics.fmean(arm.base)
    if p_up < ONE_SIDED and arm.tested_diverged > arm.base_diverged:
        return Judgement(Verdict.PARTLY, Words("better, but diverges more often", "更好，但更常发散"))
    if p_up < ONE_SIDED:
        low, high = arm.estimate.low, arm.estimate.high
        assert low is not None and high is not None
        least = f"{100 * rule.effect:g}%"
        if low >= threshold:
            return Judgement(Verdict.CONFIRMED)
        if high < threshold:
            return Judgement(Verdict.PARTLY, Words(f"better, by less than {least}", f"更好，但不到{least}"))
        enough = needed(n, mean - low, abs(mean - threshold))
        unsure = Words(f"better, but unclear whether by {least}", f"更好，但不确定是否达到{least}")
        return undecided(enough, n, unsure)
    if p_down < ONE_SIDED:
        return Judgement(Verdict.REFUTED)
    spread = statistics.stdev(gains)
    if _within(gains, threshold):
        return Judgement(Verdict.NO_EFFECT)
    sought = max(abs(mean), threshold)
    seeds = ((_z(n, ONE_SIDED) + POWER_Z) * spread / sought) ** 2 if sought > 0 else math.inf
    return undecided(seeds, n)


def equivalent(arm: Paired, rule: Equivalent) -> Judgement:
    """Whether two arms are as good as each other: two one-sided t-tests at 5% (Schuirmann 1987), margin in nats.

    Confirmed if the 90% interval of the mean gain is inside the margin. Refuted if the 95% interval is outside it;
    with `better_is_fine` only on the worse side, and a gain beyond the margin is confirmed.
    """
    gains, n = arm.gains, len(arm.gains)
    if n < 2:
        return Judgement(Verdict.INCONCLUSIVE, ALONE, more=2)
    if rule.learned is not None and statistics.fmean(arm.base) >= rule.learned:
        return Judgement(Verdict.INCONCLUSIVE, Words("the baseline has not learned the task", "基线没有学会任务"))
    estimate, spread = arm.estimate, statistics.stdev(gains)
    assert estimate.low is not None and estimate.high is not None
    half = t_quantile(1 - ALPHA, n - 1) * spread / math.sqrt(n)
    failing = arm.tested_diverged > arm.base_diverged
    if estimate.high < -rule.margin:
        return Judgement(Verdict.REFUTED, Words("worse by more than the margin", "劣于基线，且超出容差"))
    if estimate.low > rule.margin:
        if not rule.better_is_fine:
            return Judgement(Verdict.REFUTED, BEYOND)
        if not failing:
            return Judgement(Verdict.CONFIRMED, BEYOND)
    inside = estimate.value - half > -rule.margin and (rule.better_is_fine or estimate.value + half < rule.margin)
    if inside and not failing:
        gain = Words("a gain is not ruled out", "不排除有改善")
        return Judgement(Verdict.CONFIRMED, gain if estimate.value + half >= rule.margin else NOTHING)
    room = abs(rule.margin - abs(estimate.value))
    seeds = ((_z(n, ALPHA) + POWER_Z) * spread / room) ** 2 if room > 0 else math.inf
    why = Words("diverges more often", "更常发散") if failing else NOTHING
    return undecided(seeds, n, why)


def _within(gains: Sequence[float], margin: float) -> bool:
    half = t_quantile(1 - ALPHA, len(gains) - 1) * statistics.stdev(gains) / math.sqrt(len(gains))
    return abs(statistics.fmean(gains)) + half < margin


def _z(n: int, alpha: float) -> float:
    """The quantile that the test will use, a little larger than the normal's while n is small."""
    return t_quantile(1 - alpha, n - 1) if n > 3 else statistics.NormalDist().inv_cdf(1 - alpha)
