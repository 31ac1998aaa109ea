"""Observations from training runs: two arms, compared seed by seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from tbench.analysis.derive import Row
from tbench.claims import selection
from tbench.claims.model import Measure, Regime, Words
from tbench.claims.observation import Missing, Observation, unmeasured
from tbench.claims.quality import (
    Paired,
    log_ratio_estimate,
    mean_estimate,
    mean_of,
    median_estimate,
)
from tbench.claims.trial import Trial, trials
from tbench.claims.verdict import Estimate

Seen = Iterator[Observation | Missing]
Pair = tuple[Trial, Trial]  # baseline, tested


def _loss(regime: Regime, group: Sequence[Row], others: Sequence[Row]) -> Seen:
    pairs = _pairs(group, others)
    if not pairs:
        yield _none(group)
        return
    if regime.of == "midway":
        pairs = [(midway(base), midway(tested)) for base, tested in pairs]
    losses = Paired.of([base for base, _ in pairs], [tested for _, tested in pairs])
    said = losses.said()
    yield _observation(group, others, losses.estimate, *([said] if said else []), paired=losses)


def midway(trial: Trial) -> Trial:
    """The run as it was half-way, where its rate had not yet begun to fall."""
    half = trial.curve[-1][0] / 2 if trial.curve else 0
    return replace(trial, loss=next((loss for steps, loss in trial.curve if steps >= half), None))


def pooled(regime: Regime, rows: Sequence[Row]) -> Seen:
    """One change in several surroundings: the gain of a seed is the mean over the pairs of arms that make the change.

    Pairs of which an arm was not to be measured, and seeds that not all of the pairs have, are left out.
    """
    arms = {str(row.measurement.case["arm"]): row for row in rows}
    changes = [change for change in regime.changes if all(arm in arms for arm in change)]
    taken = [arms[arm] for change in changes for arm in reversed(change)]
    for row in taken:
        if row.status != "ok":
            yield unmeasured(row)
            return
    if not taken:
        return
    pairs = [{b.seed: (b, t) for b, t in _pairs([arms[t]], [arms[b]])} for t, b in changes]
    seeds = sorted(set.intersection(*(set(one) for one in pairs)))
    if not seeds:
        yield _none(taken)
        return
    each = [Paired.of([one[seed][0] for seed in seeds], [one[seed][1] for seed in seeds]) for one in pairs]
    losses = mean_of(each)
    told = "; ".join(f"{t} vs. {b} {-one.estimate.value:+.3f}" for (t, b), one in zip(changes, each, strict=True))
    notes = [Words(told, told)] if len(regime.changes) > 1 else []
    said = losses.said()
    found = _observation(taken[-1:], taken[:-1], losses.estimate, *notes, *([said] if said else []), paired=losses)
    yield replace(found, point={axis: value for axis, value in found.point.items() if axis != "arm"})


def _share(regime: Regime, group: Sequence[Row], others: Sequence[Row]) -> Seen:
    name = regime.of
    assert name is not None
    pairs = _pairs(group, others, every=True)
    if not pairs:
        yield _none(group)
        return
    if any(name not in one.figures for pair in pairs for one in pair):
        yield Missing(group[0].measurement.case.id, Words(f"no {name}", f"没有{name}"))
        return
    base, tested = (sum(bool(one.figures[name]) for one in arm) for arm in zip(*pairs, strict=True))
    n = len(pairs)
    note = Words(
        f"{name}: {tested}/{n} runs (baseline: {base}/{n})", f"{name}：被测组{n}次中{tested}次，基线{n}次中{base}次"
    )
    by_seed: dict[int, list[float]] = {}  # runs of a seed fail together: seeds are what is independent
    for b, t in pairs:
        by_seed.setdefault(b.seed, []).append(float(bool(b.figures[name])) - float(bool(t.figures[name])))
    fewer = mean_estimate([statistics.fmean(one) for one in by_seed.values()], "seeds", len(by_seed) / n)
    yield _observation(group, others, fewer, note)


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


def _effort(regime: Regime, group: Sequence[Row], others: Sequence[Row]) -> Seen:
    """Steps, or time, to several losses: shares of the way from byte frequencies to the end of the worse arm, all on
    the text of the curves. At equal rates only where both arms train: what fails is another question."""
    pairs = _pairs(group, others, every=regime.equal_rates)
    findings = group[0].measurement.findings
    unigram = findings.get("unigram_at_looks", findings.get("unigram_loss"))
    if not pairs or not isinstance(unigram, float) or any(not one.curve for pair in pairs for one in pair):
        yield _none(group) if not pairs else Missing(group[0].measurement.case.id, Words("no curve", "没有损失曲线"))
        return
    if regime.equal_rates:
        pairs = [pair for pair in pairs if not any(one.figures.get("failed") for one in pair)]
    worse = max((statistics.fmean(map(_end, arm)) for arm in zip(*pairs, strict=True)), default=math.inf)
    if worse >= unigram:
        why = Words("an arm learned no more than byte frequencies", "有一组没有学到比字节频率更多的内容")
        yield Missing(group[0].measurement.case.id, why, tried=True)
        return
    for share in regime.at:
        target = unigram - share * (unigram - worse)
        ratios: dict[int, list[float]] = {}
        for base, tested in pairs:
            b, t = (
                steps_to(one.curve, target) * (1.0 if regime.of == "steps" else _pace(one, rows))
                for one, rows in ((base, others), (tested, group))
            )
            if math.isfinite(b) or math.isfinite(t):  # a pair in which neither gets there says nothing
                ratios.setdefault(base.seed, []).append(0.0 if math.isinf(t) else b / t)
        if not ratios:
            yield Missing(
                group[0].measurement.case.id, Words("no run reaches that loss", "没有一次训练达到该损失"), tried=True
            )
            continue
        by_seed = [statistics.median(one) for one in ratios.values()]
        told = Words(f"to {target:.2f} nats", f"到{target:.2f} nats")
        estimate = (
            log_ratio_estimate(by_seed, [1.0] * len(by_seed))
            if all(0 < one < math.inf for one in by_seed)
            else median_estimate(by_seed)
        )
        found = _observation(group, others, estimate, told)
        yield replace(found, point={**found.point, "learned": share})


def _end(trial: Trial) -> float:
    """Held-out loss at the last look; of a run that diverged, the one it began with."""
    return trial.first_loss if trial.diverged else trial.curve[-1][1]


def steps_to(curve: Sequence[tuple[float, float]], target: float) -> float:
    """Steps until the held-out loss was first at `target`, in proportion between two looks; infinite if never."""
    for (steps, before), (then, after) in pairwise(curve):
        if after <= target < before:
            return steps + (before - target) / (before - after) * (then - steps)
    return math.inf


def _pace(trial: Trial, rows: Sequence[Row]) -> float:
    """Time of a step ÷ that of the experiment's first arm, of the run's own seed; in older runs, of the arm's first."""
    own = trial.figures.get("pace", rows[0].measurement.findings.get("pace"))
    return float(own) if isinstance(own, int | float) else math.nan


def _decades(regime: Regime, group: Sequence[Row], others: Sequence[Row]) -> Seen:
    """How wide a range of learning rates trains: seed by seed, the mean over the warm-ups."""
    assert regime.of is not None
    arms = [[one for row in rows for one in trials(row.measurement, every=True)] for rows in (others, group)]
    seeds = sorted({one.seed for one in arms[0]} & {one.seed for one in arms[1]})
    if not seeds or any(regime.of not in one.figures for arm in arms for one in arm):
        yield _none(group)
        return
    widths = [[_width([one for one in arm if one.seed == seed], regime.of) for seed in seeds] for arm in arms]
    gained = [tested - base for base, tested in zip(*widths, strict=True)]
    one_cell = max(_width([one for one in arm if one.seed == seeds[0]], None) for arm in arms)
    estimate = mean_estimate(gained, "seeds", one_cell)
    base, tested = (statistics.fmean(arm) for arm in widths)
    note = Words(f"{tested:.2g} decades, baseline {base:.2g}", f"{tested:.2g}个数量级，基线{base:.2g}")
    yield _observation(group, others, estimate, note)


def _width(runs: Sequence[Trial], failure: str | None) -> float:
    """Decades of learning rate that a grid's cells stand for, times the share of its cells that did not fail; None: of
    a single cell."""
    rates = sorted({one.rate for one in runs})
    step = math.log10(rates[-1] / rates[0]) / (len(rates) - 1)
    share = 1 / len(runs) if failure is None else statistics.fmean(not one.figures[failure] for one in runs)
    return step * len(rates) * share


def _seed_mean(regime: Regime, group: Sequence[Row], others: Sequence[Row]) -> Seen:
    assert regime.of is not None
    taken = [one for row in group for one in trials(row.measurement)]
    if not taken or any(regime.of not in one.figures for one in taken):
        yield _none(group)
        return
    yield _observation(group, others, mean_estimate([one.figures[regime.of] for one in taken], "seeds"))


def _sides(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [base for base, _ in pairs], [tested for _, tested in pairs]


def _extrapolation(regime: Regime, group: Sequence[Row], others: Sequence[Row]) -> Seen:
    taken = [trial for row in group for trial in trials(row.measurement)]
    for multiple in regime.at:
        losses = [(trial.loss_at(multiple, regime.of == "interpolated"), trial.loss_inside) for trial in taken]
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


def _pairs(group: Sequence[Row], others: Sequence[Row], every: bool = False) -> list[Pair]:
    """Runs of both arms that share their seed, one pair for each seed, in its order.

    An arm has the learning rate that suits it, so rates are not matched; where `every` run counts, the pairs share
    rate and warm-up too.
    """
    base, tested = (
        {_setting(trial, every): trial for row in rows for trial in trials(row.measurement, every)}
        for rows in (others, group)
    )
    return [(base[setting], tested[setting]) for setting in sorted(base.keys() & tested.keys())]


def _setting(trial: Trial, every: bool) -> tuple[float, ...]:
    return (trial.seed, trial.rate, trial.warmup) if every else (trial.seed,)


def _observation(
    group: Sequence[Row], others: Sequence[Row], estimate: Estimate, *notes: Words, paired: Paired | None = None
) -> Observation:
    cases = tuple(row.measurement.case.id for row in (*others, *group))
    told = (*notes, *_at_the_edge((*others, *group)))
    return Observation(selection.point(group[0].measurement.case), estimate, cases, told, paired=paired)


def _at_the_edge(rows: Sequence[Row]) -> Iterator[Words]:
    """Says of which arms the best learning rate is the least or the greatest of those tried."""
    found = [(row.measurement.case, row.measurement.findings) for row in rows]
    tuned = [(case, one, one.get("tried_rates") or one.get("tuning_rates") or ()) for case, one in found]
    for which, pick in ((Words("smallest", "最小"), min), (Words("largest", "最大"), max)):
        arms = dict.fromkeys(
            str(case["arm"]) for case, one, rates in tuned if rates[1:] and one.get("rate") == pick(rates)
        )
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
    "seed_mean": _seed_mean,
    "effort": _effort,
    "decades": _decades,
    "extrapolation": _extrapolation,
    "extrapolation_gain": _extrapolation_gain,
}
