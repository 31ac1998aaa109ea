"""From a run's measurements to observations: what was seen in each regime of a claim, where, and in which cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tbench.analysis.clocks import launch_bound
from tbench.analysis.derive import Row
from tbench.analysis.run import Run
from tbench.claims import selection
from tbench.claims.comparison import rounds, time_ratio
from tbench.claims.learning import LEARNING, pooled
from tbench.claims.model import Measure, Regime, Words
from tbench.claims.observation import STATES, Missing, Observation, unmeasured
from tbench.claims.slopes import exact_slope, overtakes, slope
from tbench.claims.traffic import modelled_bytes
from tbench.claims.verdict import Estimate
from tbench.records import FAILED, Value

FEWEST_SIZES = 2
FEWEST_TO_FIT = 3  # two terms fit any two points
HOST = Words("launch-bound: host time, not device time", "测到的是主机时间而非设备时间（受启动开销限制）")
NO_TIMES = Words("no timings", "没有计时")
NO_BYTES = Words("no count of its bytes", "没有字节数")
NO_PEAK = Words("no peak memory", "没有内存峰值")
APART = Words("not interleaved with its baseline, so drift does not cancel", "未与基线交替测量，漂移不能抵消")


@dataclass(frozen=True)
class Evidence:
    """What the runs say about one regime. `missing`: why cases that belong to it gave no observation."""

    observations: tuple[Observation, ...]
    missing: tuple[Missing, ...] = ()


def observe(regime: Regime, runs: Sequence[Run]) -> Evidence:
    """Observations of a regime.

    Where two runs measured the same point, the later run in the list counts, but nothing takes the place of times
    that were measured in turns except such times, nor a quick training run that of a full one.
    """
    found: dict[tuple[tuple[str, Value], ...], Observation] = {}
    missing: dict[Missing, int] = {}
    number = {id(run): place for place, run in enumerate(runs)}
    for run in runs:
        for one in _in_run(regime, run.rows):
            if isinstance(one, Missing):
                missing[one] = number[id(run)]
                continue
            place = tuple((axis, value) for axis, value in one.point.items() if axis != "budget")
            if place not in found or worth(one) >= worth(found[place]):
                found[place] = replace(one, run=run)
    observations = tuple(found.values())
    left = tuple(
        one
        for one, last in missing.items()
        if not any(
            number[id(seen.run)] > last and one.case in seen.cases for seen in observations
        )  # a later run has it
    )
    return Evidence(_best(observations, regime.best_of) if regime.best_of else observations, left)


def worth(one: Observation) -> tuple[bool, bool]:
    """What must not give way to less."""
    return one.in_turns, one.point.get("budget") != "quick"


def _in_run(regime: Regime, rows: Sequence[Row]) -> Iterator[Observation | Missing]:
    tested = selection.tested(regime, rows)
    if not tested:
        return
    baselines = selection.Baselines(regime, rows)
    if regime.measure == "slope":
        yield from _slopes(regime, tested)
    elif regime.changes:
        for group in selection.grouped(tested, ("arm",)).values():
            yield from pooled(regime, group)
    elif regime.measure in LEARNING:
        for group in selection.grouped(tested, regime.replicates).values():
            others = baselines.of(group[0])
            yield from LEARNING[regime.measure](regime, group, others)
    else:
        for row in tested:
            yield _one(regime, row, baselines.of(row))


def _one(regime: Regime, row: Row, others: Sequence[Row]) -> Observation | Missing:
    case = row.measurement.case
    if row.status != "ok":
        return unmeasured(row)
    several: list[Words] = []
    if regime.best_baseline and len(others) > 1:
        others, several = _fastest(others, regime.best_baseline)
    if regime.against and len(others) != 1:
        many = Words(f"{len(others)} baselines among the cases", f"用例中有{len(others)}个基线")
        return Missing(case.id, many if others else Words("no baseline among the cases", "用例中没有基线"))
    base = others[0] if regime.against else None
    if base is not None and base.status != "ok":
        why = Words(f"its baseline is {base.status}", f"基线{STATES.get(base.status, base.status)}")
        return Missing(case.id, why, failed=base.status in FAILED)
    found = COMPARED[regime.measure](regime, row, base)
    if isinstance(found, Words):
        return Missing(case.id, found, tried=True)
    estimate, notes = found
    notes = [*several, *notes]
    cases = (*([base.measurement.case.id] if base else []), case.id)
    in_turns = APART not in notes
    return Observation(selection.point(case), estimate, cases, tuple(notes), seconds=row.latency, in_turns=in_turns)


def _fastest(baselines: Sequence[Row], axis: str) -> tuple[Sequence[Row], list[Words]]:
    """The baseline that took the least time, and which that was; all of them where none was timed."""
    timed = [row for row in baselines if row.status == "ok" and row.latency is not None]
    chosen = sorted(timed, key=lambda row: row.latency.estimate if row.latency else math.inf)[:1]
    if not chosen:
        return baselines[:1], []
    which, n = f"{axis}={chosen[0].measurement.case.get(axis)}", len(timed)
    words = Words(f"against {which}, the fastest of {n} baselines", f"对比{which}，{n}个基线中最快")
    return chosen, [words] if n > 1 else []


Found = tuple[Estimate, list[Words]] | Words


def _speedup(regime: Regime, row: Row, base: Row | None) -> Found:
    assert base is not None
    found = time_ratio(base, row)
    if found is None:
        return HOST
    return found.estimate, [] if found.in_turns else [APART]


def _beyond_bytes(regime: Regime, row: Row, base: Row | None) -> Found:
    """The speed-up over what the bytes allow: both cases bound by memory, and every byte moved once."""
    assert base is not None
    found, (own, theirs) = _speedup(regime, row, base), (row.measurement.work, base.measurement.work)
    if isinstance(found, Words):
        return found
    if own is None or theirs is None or not own.bytes or not theirs.bytes:
        return NO_BYTES
    estimate, notes = found
    return estimate.times(own.bytes / theirs.bytes), notes


def _memory_ratio(regime: Regime, row: Row, base: Row | None) -> Found:
    assert base is not None
    if not row.peak_memory_bytes or not base.peak_memory_bytes:
        return NO_PEAK
    return Estimate.exactly(base.peak_memory_bytes / row.peak_memory_bytes), []


def _saved(regime: Regime, row: Row, base: Row | None) -> Found:
    assert base is not None
    own, theirs = _figure(regime, row), _figure(regime, base)
    if own is None or not theirs:
        return _none(regime)
    return Estimate.exactly(1 - own / theirs), []


def _count(regime: Regime, row: Row, base: Row | None) -> Found:
    value = _figure(regime, row)
    if value is None:
        return _none(regime)
    whether = isinstance(row.measurement.findings.get(str(regime.of)), bool)
    return (Estimate.whether(bool(value)) if whether else Estimate.exactly(value)), []


def _none(regime: Regime) -> Words:
    return Words(f"no {regime.of}", f"没有{regime.of}")


def _figure(regime: Regime, row: Row) -> float | None:
    """Peak memory, bytes moved by the model, or a finding that is a number; a truth is 1 or 0."""
    assert regime.of is not None
    if regime.of in FIGURES:
        return FIGURES[regime.of](row)
    value = row.measurement.findings.get(regime.of)
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


FIGURES: Mapping[str, Callable[[Row], float | None]] = {
    "peak_memory": lambda row: row.peak_memory_bytes,
    "modelled_bytes": modelled_bytes,
}
COMPARED: Mapping[Measure, Callable[[Regime, Row, Row | None], Found]] = {
    "speedup": _speedup,
    "beyond_bytes": _beyond_bytes,
    "memory_ratio": _memory_ratio,
    "saved": _saved,
    "number": _count,
}


def _slopes(regime: Regime, rows: Sequence[Row]) -> Iterator[Observation | Missing]:
    assert regime.along is not None
    for group in selection.grouped(rows, (regime.along,)).values():
        chosen = [row for row in group if row.status == "ok" and _measured(regime, row)]
        for row in group:
            if row.status != "ok":
                yield unmeasured(row)
            elif not _measured(regime, row):
                why = NO_PEAK if regime.of == "peak_memory" else HOST if launch_bound(row.measurement) else NO_TIMES
                yield Missing(row.measurement.case.id, why, tried=True)
        overtaking = _overtaking(regime, chosen)
        largest = sorted({float(row.measurement.case[regime.along]) for row in chosen})[-regime.last :]
        chosen = [row for row in chosen if float(row.measurement.case[regime.along]) in largest]
        sizes = [float(row.measurement.case[regime.along]) for row in chosen]
        cases = tuple(row.measurement.case.id for row in chosen)
        if len(set(sizes)) < FEWEST_SIZES:
            has = len(set(sizes))
            why = Words(
                f"{has} of {FEWEST_SIZES} {regime.along} needed", f"需要{FEWEST_SIZES}个{regime.along}，只有{has}个"
            )
            yield Missing(group[0].measurement.case.id, why)
            continue
        place = {axis: v for axis, v in selection.point(chosen[0].measurement.case).items() if axis != regime.along}
        ends = f"{min(sizes):g}", f"{max(sizes):g}"
        notes = (Words(f"{regime.along} {ends[0]} to {ends[1]}", f"{regime.along} {ends[0]}至{ends[1]}"), *overtaking)
        if regime.of == "peak_memory":
            estimate = exact_slope(sizes, [float(row.peak_memory_bytes or 0) for row in chosen])
        else:
            estimate = slope(sizes, [rounds(row.measurement.turns) for row in chosen])
        yield Observation(place, estimate, cases, notes)


def _overtaking(regime: Regime, rows: Sequence[Row]) -> list[Words]:
    """From which length on the square costs more than the multiple of the length, where three lengths tell."""
    assert regime.along is not None
    pairs = [(float(row.measurement.case[regime.along]), row.latency.estimate) for row in rows if row.latency]
    sizes = {size for size, _ in pairs}
    if regime.of != "latency" or len(sizes) < FEWEST_TO_FIT:
        return []
    at = overtakes(*zip(*pairs, strict=True))
    if at < min(sizes):
        return [Words(f"the quadratic term already dominates at {min(sizes):g}", f"在{min(sizes):g}处二次项已占主导")]
    if at > 2 * max(sizes):
        return [Words(f"the linear term still dominates at {max(sizes):g}", f"到{max(sizes):g}仍以线性项为主")]
    return [
        Words(
            f"the quadratic term overtakes the linear one at about {regime.along}={at:.2g}",
            f"二次项约在{regime.along}={at:.2g}处超过线性项",
        )
    ]


def _measured(regime: Regime, row: Row) -> bool:
    if regime.of == "peak_memory":
        return bool(row.peak_memory_bytes)
    return bool(row.measurement.turns) and not launch_bound(row.measurement)


def _best(observations: Sequence[Observation], axis: str) -> tuple[Observation, ...]:
    """Of observations that differ in `axis` only, the one that took the least time; it says which that was."""
    groups: dict[tuple[tuple[str, Value], ...], list[Observation]] = {}
    for one in observations:
        groups.setdefault(tuple((name, value) for name, value in one.point.items() if name != axis), []).append(one)
    best = []
    for rest, group in groups.items():
        chosen = min(group, key=lambda one: one.seconds.estimate if one.seconds else math.inf)
        which, n = f"{axis}={chosen.point[axis]}", len(group)
        fastest = Words(f"{which}, the fastest of {n}", f"{which}，{n}个中最快") if n > 1 else Words(which, which)
        best.append(replace(chosen, point=dict(rest), notes=(fastest, *chosen.notes)))
    return tuple(best)
