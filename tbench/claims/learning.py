"""Observations from training runs: two arms, compared seed by seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from tbench.analysis.derive import Row
from tbench.claims import selection
from tbench.claims.model import Measure, Regime, Words
from tbench.claims.observation import Missing, Observation, unmeasured
from tbench.claims.quality import Paired, log_ratio_estimate, median_estimate, share_difference
from tbench.claims.trial import Trial, trials
from tbench.claims.verdict import Estimate

Seen = Iterator[Observation | Missing]
Pair = tuple[Trial, Trial]  # baseline, tested


def _loss(regime: Regime, group: Sequence[Row], others: Sequence[Row]) -> Seen:
    pairs = _pairs(group, others)
    if not pairs:
        yield _none(group)
        return
    losses = Paired.of([base for base, _ in pairs], [tested for _, tested in pairs])
    said = losses.said()
    yield _observation(group, others, losses.estimate, *([said] if said else []), paired=losses)


def _share(regime: Regime, group: Sequence[Row], others: Sequence[Row]) -> Seen:
    name = regime.of
    assert name is not None
    pairs = _pairs(group, others, grid=True)
    if not pairs:
        yield _none(group)
        return
    if any(name not in one.figures for pair in pairs for one in pair):
        yield Missing(group[0].measurement.case.id, Words(f"no {name}", f"没有{name}"))
        return
    base, tested = ([bool(one.figures[name]) for one in arm] for arm in zip(*pairs, strict=True))
    n = len(pairs)
    note = Words(
        f"{name}: {sum(tested)}/{n} runs (baseline: {sum(base)}/{n})",
        f"{name}：被测组{n}次中{sum(tested)}次，基线{n}次中{sum(base)}次",
    )
    yield _observation(group, others, share_difference(base, tested), note)


def _seed_ratio(regime: Regime, group: Sequence[Row], others: Sequence[Row]) -> Seen:
    """A figure that a run may never reach (steps to a target): then it has none, and that is infinitely many.

    A pair in which neither gets there says nothing. Where only one does, the ratio is 0 or infinite and has no mean:
    then the median of the ratios is told, with the interval that order alone gives.
    """
    name = regime.of
    assert name is not None
    pairs = _pairs(group, others)
    if not pairs:
        yield _none(group)
        return
    reached = [(b.figures.get(name, math.inf), t.figures.get(name, math.inf)) for b, t in pairs]
    telling = [(b, t) for b, t in reached if math.isfinite(b) or math.isfinite(t)]
    failed, won = sum(math.isinf(t) for _, t in telling), sum(math.isinf(b) for b, _ in telling)
    n = len(telling)
    if not telling:
        none = Words(f"no run has {name}", f"没有一次训练得到{name}")
        yield Missing(group[0].measurement.case.id, none, tried=True)
        return
    if failed or won:
        estimate = median_estimate([0.0 if math.isinf(t) else b / t for b, t in telling])
    else:
        estimate = log_ratio_estimate(*_sides(telling))
    note = Words(
        f"target not reached in {failed}/{n} runs (baseline: {won}/{n}); median shown",
        f"未达到：被测组{n}次中{failed}次，基线{n}次中{won}次；所示为中位数",
    )
    yield _observation(group, others, estimate, *([note] if failed or won else []))


def _sides(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [base for base, _ in pairs], [tested for _, tested in pairs]


def _extrapolation(regime: Regime, group: Sequence[Row], others: Sequence[Row]) -> Seen:
    taken = [trial for row in group for trial in trials(row.measurement)]
    for multiple in regime.at:
        losses = [(trial.loss_at(multiple), trial.loss_inside) for trial in taken]
        yield _at(group, others, multiple, losses)


def _extrapolation_gain(regime: Regime, group: Sequence[Row], others: Sequence[Row]) -> Seen:
    pairs = _pairs(group, others)
    for multiple in regime.at:
        yield _at(group, others, multiple, [(b.loss_at(multiple), t.loss_at(multiple)) for b, t in pairs])


def _at(
    group: Sequence[Row], others: Sequence[Row], multiple: float, losses: Sequence[tuple[float | None, float | None]]
) -> Observation | Missing:
    """Ratio of perplexities, first to second, over seeds."""
    known = [(math.exp(one), math.exp(other)) for one, other in losses if one is not None and other is not None]
    if not known or len(known) < len(losses):
        why = Words(
            f"no loss by position at {multiple:g} times the trained length", f"训练长度{multiple:g}倍处没有逐位置损失"
        )
        return Missing(group[0].measurement.case.id, why)
    found = _observation(group, others, log_ratio_estimate(*_sides(known)))
    return Observation({**found.point, "at": multiple}, found.estimate, found.cases, found.notes)


def _pairs(group: Sequence[Row], others: Sequence[Row], grid: bool = False) -> list[Pair]:
    """Runs of both arms that share their seed, one pair for each seed, in its order.

    An arm has the learning rate that suits it, so rates are not matched; in a grid, where every rate and warm-up
    counts, runs that share those too are the pairs.
    """
    base, tested = (
        {_setting(trial, grid): trial for row in rows for trial in trials(row.measurement)} for rows in (others, group)
    )
    return [(base[setting], tested[setting]) for setting in sorted(base.keys() & tested.keys())]


def _setting(trial: Trial, grid: bool) -> tuple[float, ...]:
    return (trial.seed, trial.rate, trial.warmup) if grid else (trial.seed,)


def _observation(
    group: Sequence[Row], others: Sequence[Row], estimate: Estimate, *notes: Words, paired: Paired | None = None
) -> Observation:
    cases = tuple(row.measurement.case.id for row in (*others, *group))
    told = (*notes, *_at_the_edge((*others, *group)))
    return Observation(selection.point(group[0].measurement.case), estimate, cases, told, paired=paired)


def _at_the_edge(rows: Sequence[Row]) -> Iterator[Words]:
    """Says of which arms the best learning rate is the least or the greatest of those tried."""
    found = [(row.measurement.case, row.measurement.findings) for row in rows]
    tuned = [(case, one) for case, one in found if len(one.get("tuning_rates") or ()) > 1]
    for which, pick in ((Words("smallest", "最小"), min), (Words("largest", "最大"), max)):
        arms = dict.fromkeys(str(case["arm"]) for case, one in tuned if one["rate"] == pick(one["tuning_rates"]))
        if arms:
            yield Words(
                f"the best learning rate is the {which.en} one tried for {', '.join(arms)}: the optimum may lie beyond",
                f"{'、'.join(arms)}的最佳学习率是所尝试的{which.zh}值，更优值可能在范围之外",
            )


def _none(group: Sequence[Row]) -> Missing:
    for row in group:
        if row.status != "ok":
            return unmeasured(row)
    why = Words("no run shares its seed with the baseline", "没有与基线同种子的训练")
    return Missing(group[0].measurement.case.id, why)


LEARNING: Mapping[Measure, Callable[[Regime, Sequence[Row], Sequence[Row]], Seen]] = {
    "loss_difference": _loss,
    "share_difference": _share,
    "seed_ratio": _seed_ratio,
    "extrapolation": _extrapolation,
    "extrapolation_gain": _extrapolation_gain,
}
