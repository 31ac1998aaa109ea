"""The verdict: from an estimate with its interval and a rule, and from several verdicts to one. Pure.

Per regime, for a claimed range [low, high] and a 95% interval:

    confirmed      the whole interval is at `low` or above ("above the range" if all of it is above `high`)
    partly         all of it is above "no effect", but below `low`
    no effect      it holds "no effect" and is narrow (within ±0.05 of it)
    refuted        all of it is below "no effect"; or the claimed property fails
    inconclusive   too wide to say; then: how many more rounds or seeds it takes (a note is added if all of it
                   is below `low`: then only "partly" and "no effect" are open, or worse)

A figure that is counted has no interval; within ±0.05 of "no effect" it is none.

An interval of 95% is wholly on the wrong side of a border in at most 2.5% of cases, so a claim that is false is
confirmed, and a true one refuted, at most that often per regime judged here. `quality` asks the same of superiority;
its equivalence is two tests at 5%.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import NormalDist

from tbench.analysis.statistics import Interval, t_quantile
from tbench.claims.model import NOTHING, AtLeast, AtMost, Exact, Range, Words

LEVEL = 0.05  # how often a 95% interval misses the true value
NARROW = 0.05
ABOVE = Words("above the range", "高于声称范围")
BELOW = Words("but below the claimed range", "但低于声称范围")
INSIDE = Words("inside the range", "在声称范围内")
OPEN = Words("runs that never reached the target leave the interval unbounded", "有训练未达到目标，区间无界")
UNSURE = Words("an effect, but unclear whether it reaches the claimed range", "有效果，但不确定是否达到声称范围")
GROUPS = Words("processes fall into two groups: no single interval applies", "进程分成两组，无法用单一区间描述")
MOST = 10_000  # beyond, the true value is as good as on the border and no number of samples tells


class Verdict(StrEnum):
    CONFIRMED = "confirmed"
    PARTLY = "partly"
    NO_EFFECT = "no effect"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval. `n` replicates of a kind (`rounds`, `seeds`, `runs`); `exact`: counted, no noise;
    `truth`: 1 or 0, whether something is so.

    `low` and `high` are None where one replicate is all there is, or where processes fall into two groups.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    unit: str

    @property
    def exact(self) -> bool:
        """Counted, or a truth: there is no noise in it."""
        return self.unit in ("exact", "truth")

    @staticmethod
    def exactly(value: float) -> Estimate:
        return Estimate(value, value, value, 1, "exact")

    @staticmethod
    def whether(so: bool) -> Estimate:
        return Estimate(float(so), float(so), float(so), 1, "truth")

    def times(self, factor: float) -> Estimate:
        """The same in another unit, `factor` > 0."""
        low, high = (None if end is None else end * factor for end in (self.low, self.high))
        return replace(self, value=self.value * factor, low=low, high=high)

    @staticmethod
    def of(found: Interval) -> Estimate:
        """A speed-up's interval. With one round it knows only that process, and counts as unknown."""
        alone = found.n_rounds < 2
        return Estimate(
            found.estimate, None if alone else found.low, None if alone else found.high, found.n_rounds, "rounds"
        )


@dataclass(frozen=True)
class Judgement:
    """A verdict on one observation. `note` adds to it; `more`: how many further replicates would decide, if known.
    `close`: no sensible number would. `guarded`: something that must be seen before there may be a verdict is not;
    `note` says what would lift that."""

    verdict: Verdict
    note: Words = NOTHING
    more: int | None = None
    close: bool = False
    guarded: bool = False


def judge(rule: Range | AtMost | AtLeast | Exact, estimate: Estimate) -> Judgement:
    """The verdict on one estimate."""
    if math.isnan(estimate.value):
        return Judgement(Verdict.INCONCLUSIVE, Words("not a number", "不是数值"))
    low, high = estimate.low, estimate.high
    if (low is None or high is None) and estimate.n > 1:
        return Judgement(Verdict.INCONCLUSIVE, GROUPS)
    if low is None or high is None:
        alone = Words(f"a single replicate ({estimate.unit}) gives no interval", "只有一次重复，无法给出区间")
        return Judgement(Verdict.INCONCLUSIVE, alone, more=2)
    if isinstance(rule, Range):
        return _range(rule, estimate, low, high)
    if isinstance(rule, AtMost):
        return _at_most(rule, estimate, low, high)
    if isinstance(rule, AtLeast):
        if low >= rule.limit:
            return Judgement(Verdict.CONFIRMED)
        if high < rule.limit:
            return Judgement(Verdict.REFUTED)
        return _undecided(estimate, abs(estimate.value - rule.limit))
    return _exact(rule, estimate, low, high)


def _range(rule: Range, estimate: Estimate, low: float, high: float) -> Judgement:
    if low >= rule.low:
        if rule.high is None:
            return Judgement(Verdict.CONFIRMED)
        if low > rule.high:
            return Judgement(Verdict.CONFIRMED, ABOVE)
        return Judgement(Verdict.CONFIRMED, INSIDE if high <= rule.high else NOTHING)
    if low == high and abs(low - rule.neutral) <= NARROW:  # counted: never on the spot, and still no effect
        return Judgement(Verdict.NO_EFFECT)
    if high < rule.neutral:
        return Judgement(Verdict.REFUTED)
    if low > rule.neutral and high < rule.low:
        return Judgement(Verdict.PARTLY)
    if low <= rule.neutral <= high and rule.neutral - NARROW <= low and high <= rule.neutral + NARROW:
        return Judgement(Verdict.NO_EFFECT)
    value = estimate.value
    if value > rule.low:
        decides = value - rule.low
    elif value > rule.neutral:
        decides = min(rule.low - value, value - rule.neutral)
    else:
        decides = rule.neutral - value
    decides = max(decides, NARROW - abs(value - rule.neutral))  # near "no effect" it is enough to be narrow
    return _undecided(estimate, decides, UNSURE if low > rule.neutral else BELOW if high < rule.low else NOTHING)


def _at_most(rule: AtMost, estimate: Estimate, low: float, high: float) -> Judgement:
    usable = rule.limit if rule.usable is None else rule.usable
    if high <= rule.limit:
        return Judgement(Verdict.CONFIRMED)
    if low > usable:
        return Judgement(Verdict.REFUTED)
    if low > rule.limit and high <= usable:
        return Judgement(Verdict.PARTLY, Words("usable", "可用"))
    return _undecided(estimate, min(abs(estimate.value - border) for border in (rule.limit, usable)))


def _exact(rule: Exact, estimate: Estimate, low: float, high: float) -> Judgement:
    first, last = rule.value - rule.tolerance, rule.value + rule.tolerance
    if first <= low and high <= last:
        return Judgement(Verdict.CONFIRMED, Words("exact", "精确") if low == high == rule.value else NOTHING)
    if high < first or low > last:
        return Judgement(Verdict.REFUTED)
    return _undecided(estimate, min(abs(estimate.value - border) for border in (first, last)))


def _undecided(estimate: Estimate, half_width: float, note: Words = NOTHING) -> Judgement:
    """Inconclusive, with what it takes to bring the interval's half-width down to `half_width`."""
    assert estimate.low is not None and estimate.high is not None
    if math.isinf(estimate.high):  # nothing to size by: twice as many, and six at least
        return Judgement(Verdict.INCONCLUSIVE, OPEN, more=max(6 - estimate.n, estimate.n))
    now = max(estimate.high - estimate.value, estimate.value - estimate.low)
    return undecided(needed(estimate.n, now, half_width), estimate.n, note)


def undecided(needed: float, n: int, note: Words = NOTHING) -> Judgement:
    """Inconclusive with `n` replicates, where `needed` would do; beyond `MOST` it is too close to call."""
    if needed > MOST:
        return Judgement(Verdict.INCONCLUSIVE, note, close=True)
    return Judgement(Verdict.INCONCLUSIVE, note, more=max(1, math.ceil(needed) - n))


def needed(n: int, now: float, wanted: float, level: float = LEVEL) -> float:
    """How many replicates bring a half-width of `now` with `n` of them down to `wanted`; infinite beyond `MOST`.

    `now` is that of a 95% interval, `wanted` that of one which misses the true value in `level` of all cases.

    The half-width goes with t(n − 1) / √n, of which t falls fast while n is small: 3 replicates whose interval is twice
    too wide need 5, where 1/√n alone would ask for 12. The least number is found by bisection.
    """
    if n < 2 or wanted <= 0 or _per_spread(MOST, level) * now > wanted * _per_spread(n):
        return math.inf
    low, high = n, MOST  # too few, or n itself; enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _per_spread(middle, level) * now <= wanted * _per_spread(n) else (middle, high)
    return high


def _per_spread(n: int, level: float = LEVEL) -> float:
    """Half-width of an interval over the standard deviation: t(n − 1) / √n, t from its expansion in 1/df beyond 100.

    Abramowitz & Stegun 26.7.5: z + (z³ + z) / 4df + (5z⁵ + 16z³ + 3z) / 96df², exact to four digits there.
    """
    df = n - 1
    if df <= 100:
        return t_quantile(1 - level / 2, df) / math.sqrt(n)
    z = NormalDist().inv_cdf(1 - level / 2)
    return (z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)) / math.sqrt(n)


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """One word for several: confirmed only if all are; partly if it holds anywhere; open if it may still hold."""
    found = set(verdicts)
    if not found:
        return Verdict.NOT_MEASURED
    if len(found) == 1:
        return found.pop()
    if found & {Verdict.CONFIRMED, Verdict.PARTLY}:
        return Verdict.PARTLY
    if found & {Verdict.INCONCLUSIVE, Verdict.NOT_MEASURED}:
        return Verdict.INCONCLUSIVE
    return Verdict.REFUTED  # no effect here, refuted there: it holds nowhere
