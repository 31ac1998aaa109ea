"""Whether enough has been measured of a case for the article's claims: every verdict on its times stands.

Sampling asks this at its few looks, before it goes on with a case. The interval of a look is wider than the one that is
printed: Bonferroni over the looks, so that a verdict is not given because the first rounds happened to agree; and for a
headline over all headline comparisons of times, so that it also stands as one of many (`family`).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tbench.analysis.statistics import ratio
from tbench.analysis.stopping import CONFIDENCE
from tbench.analysis.turns import of_one_clock, paired
from tbench.claims import selection
from tbench.claims.model import Article, AtLeast, AtMost, Exact, Range, Regime
from tbench.claims.verdict import Estimate, Verdict, judge
from tbench.records import Case, Measurement, Turn

TIMED = ("speedup", "beyond_bytes")
FEWEST_ROUNDS = 2  # fewer have no interval
FAMILIES = 2  # of headline verdicts, which share their error (`family`)

# Of a case, what has been measured of it and of those beside it, and how often this is asked at most: whether its
# verdicts stand. None where no claim compares it.
Stands = Callable[[Case, Mapping[Case, Measurement], int], bool | None]


@dataclass(frozen=True)
class Comparison:
    """A tested case and what it is compared with; of several baselines the fastest counts. `family`: as one of how many
    it must stand."""

    tested: Case
    baselines: tuple[Case, ...]
    rule: Range | AtMost | AtLeast | Exact
    beyond_bytes: bool = False
    family: int = 1


def standing(article: Article, cases: Sequence[Case]) -> Stands:
    """What answers for these cases."""
    regimes = [regime for claim in article.claims for regime in claim.regimes]
    guards = [guard.regime for regime in regimes for guard in regime.guards]
    headline = [one for regime in regimes if regime.headline for one in comparisons(regime, cases)]
    aside = [one for regime in regimes if not regime.headline for one in comparisons(regime, cases)]
    asked = [*(replace(one, family=FAMILIES * len(headline)) for one in headline), *aside]
    asked += [one for guard in guards for one in comparisons(guard, cases)]
    growing = {case for regime in regimes if regime.headline for case in slopes(regime, cases)}
    found: dict[Case, list[Comparison]] = {}
    for one in asked:
        for case in (one.tested, *one.baselines):
            found.setdefault(case, []).append(one)

    def stands(case: Case, measured: Mapping[Case, Measurement], looks: int) -> bool | None:
        if case in growing:  # how times grow is seen from all lengths together
            return False
        told = [decided(one, measured, looks) for one in found.get(case, ())]
        return None if all(each is None for each in told) else False not in told

    return stands


def slopes(regime: Regime, cases: Sequence[Case]) -> Iterator[Case]:
    """Of a regime about how times grow, the cases that the exponent is taken from."""
    if regime.measure != "slope" or regime.of == "peak_memory" or regime.along is None:
        return
    groups: dict[selection.Key, list[Case]] = {}
    for case in cases:
        if selection.about(regime, case):
            groups.setdefault(selection.key(case, (regime.along,)), []).append(case)
    for group in groups.values():
        if len(group) > 1:
            yield from sorted(group, key=lambda case: case.integer(regime.along or ""))[-regime.last :]


def comparisons(regime: Regime, cases: Sequence[Case]) -> Iterator[Comparison]:
    """The comparisons of times that a regime makes of these cases."""
    if regime.measure not in TIMED or not isinstance(regime.rule, Range | AtMost | AtLeast | Exact):
        return
    without = (*regime.against, *regime.free, *regime.replicates)
    baselines: dict[selection.Key, list[Case]] = {}
    for case in cases:
        if selection.matches(regime.against, case):
            baselines.setdefault(selection.key(case, without), []).append(case)
    for case in cases:
        if selection.about(regime, case) and (there := baselines.get(selection.key(case, without))):
            yield Comparison(case, tuple(there), regime.rule, regime.measure == "beyond_bytes")


def decided(one: Comparison, measured: Mapping[Case, Measurement], looks: int) -> bool | None:
    """Whether the verdict on a comparison stands; None where its cases are not measured side by side."""
    tested = usable(measured.get(one.tested))
    beside = [found for case in one.baselines if (found := usable(measured.get(case)))]
    if tested is None or not beside:
        return None
    base = min(beside, key=lambda measurement: typical(measurement.turns))
    first, second = paired(base.turns, tested.turns)
    if len(first) < FEWEST_ROUNDS:
        return False
    estimate = Estimate.of(ratio(first, second, 1 - (1 - CONFIDENCE) / (looks * one.family)))
    if one.beyond_bytes and base.work and tested.work and base.work.bytes and tested.work.bytes:
        estimate = estimate.times(tested.work.bytes / base.work.bytes)
    return judge(one.rule, estimate).verdict is not Verdict.INCONCLUSIVE


def usable(measurement: Measurement | None) -> Measurement | None:
    return measurement if measurement is not None and measurement.status == "ok" and measurement.turns else None


def typical(turns: Sequence[Turn]) -> float:
    """Mean seconds of a call, to tell the faster of two."""
    return statistics.fmean(statistics.fmean(turn.seconds) for turn in of_one_clock(turns))
