"""From a run's measurements to observations: what was seen in each regime of a claim, where, and in which cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tbench.analysis.derive import Row
from tbench.analysis.run import Run
from tbench.claims import selection
from tbench.claims.comparison import rounds, time_ratio
from tbench.claims.learning import LEARNING
from tbench.claims.model import Measure, Regime
from tbench.claims.observation import Missing, Observation
from tbench.claims.slopes import exact_slope, slope
from tbench.claims.verdict import Estimate
from tbench.records import Value

FEWEST_SIZES = 2
APART = "not measured in turns with its baseline, so drift is not cancelled"


@dataclass(frozen=True)
class Evidence:
    """What the runs say about one regime. `missing`: why cases that belong to it gave no observation."""

    observations: tuple[Observation, ...]
    missing: tuple[Missing, ...] = ()


def observe(regime: Regime, runs: Sequence[Run]) -> Evidence:
    """Observations of a regime.

    Where two runs measured the same point, the later run in the list counts, but nothing takes the place of times
    that were measured in turns except such times.
    """
    found: dict[tuple[tuple[str, Value], ...], Observation] = {}
    missing: dict[Missing, None] = {}
    for run in runs:
        for one in _in_run(regime, run.rows):
            if isinstance(one, Missing):
                missing.setdefault(one)
                continue
            place = tuple(one.point.items())
            if place not in found or one.in_turns or not found[place].in_turns:
                found[place] = replace(one, run=run)
    observations = tuple(found.values())
    return Evidence(_best(observations, regime.best_of) if regime.best_of else observations, tuple(missing))


def _in_run(regime: Regime, rows: Sequence[Row]) -> Iterator[Observation | Missing]:
    tested, baselines = selection.tested(regime, rows), selection.Baselines(regime, rows)
    if regime.measure == "slope":
        yield from _slopes(regime, tested)
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
        return Missing(case.id, row.status)
    if regime.against and len(others) != 1:
        return Missing(case.id, f"{len(others)} baselines among the cases" if others else "no baseline among the cases")
    base = others[0] if regime.against else None
    if base is not None and base.status != "ok":
        return Missing(case.id, f"its baseline is {base.status}")
    found = COMPARED[regime.measure](regime, row, base)
    if isinstance(found, str):
        return Missing(case.id, found)
    estimate, notes = found
    cases = (*([base.measurement.case.id] if base else []), case.id)
    in_turns = APART not in notes
    return Observation(selection.point(case), estimate, cases, tuple(notes), seconds=row.latency, in_turns=in_turns)


Found = tuple[Estimate, list[str]] | str


def _speedup(regime: Regime, row: Row, base: Row | None) -> Found:
    assert base is not None
    found = time_ratio(base, row)
    if found is None:
        return "the host was measured, not the device (launch-bound)"
    return found.estimate, [] if found.in_turns else [APART]


def _memory_ratio(regime: Regime, row: Row, base: Row | None) -> Found:
    assert base is not None
    if not row.peak_memory_bytes or not base.peak_memory_bytes:
        return "no peak memory"
    return Estimate.exactly(base.peak_memory_bytes / row.peak_memory_bytes), []


def _saved(regime: Regime, row: Row, base: Row | None) -> Found:
    assert base is not None
    own, theirs = _figure(regime, row), _figure(regime, base)
    if own is None or not theirs:
        return f"no {regime.of}"
    return Estimate.exactly(1 - own / theirs), []


def _count(regime: Regime, row: Row, base: Row | None) -> Found:
    value = _figure(regime, row)
    return f"no {regime.of}" if value is None else (Estimate.exactly(value), [])


def _figure(regime: Regime, row: Row) -> float | None:
    """Peak memory, or a finding that is a number; of a truth or a text, whether it is there (1 or 0)."""
    assert regime.of is not None
    value = row.peak_memory_bytes if regime.of == "peak_memory" else row.measurement.findings.get(regime.of)
    if isinstance(value, (bool, str)):
        return float(bool(value))
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


COMPARED: Mapping[Measure, Callable[[Regime, Row, Row | None], Found]] = {
    "speedup": _speedup,
    "memory_ratio": _memory_ratio,
    "saved": _saved,
    "number": _count,
}


def _slopes(regime: Regime, rows: Sequence[Row]) -> Iterator[Observation | Missing]:
    assert regime.along is not None
    for group in selection.grouped(rows, (regime.along,)).values():
        chosen = [row for row in group if row.status == "ok" and _measured(regime, row)]
        sizes = [float(row.measurement.case[regime.along]) for row in chosen]
        cases = tuple(row.measurement.case.id for row in chosen)
        if len(set(sizes)) < FEWEST_SIZES:
            yield Missing(group[0].measurement.case.id, f"{len(set(sizes))} of {FEWEST_SIZES} {regime.along} needed")
            continue
        place = {axis: v for axis, v in selection.point(chosen[0].measurement.case).items() if axis != regime.along}
        notes = (f"{regime.along} {min(sizes):g} to {max(sizes):g}",)
        if regime.of == "peak_memory":
            estimate = exact_slope(sizes, [float(row.peak_memory_bytes or 0) for row in chosen])
        else:
            estimate = slope(sizes, [rounds(row.measurement.turns) for row in chosen])
        yield Observation(place, estimate, cases, notes)


def _measured(regime: Regime, row: Row) -> bool:
    return bool(row.peak_memory_bytes if regime.of == "peak_memory" else row.measurement.turns)


def _best(observations: Sequence[Observation], axis: str) -> tuple[Observation, ...]:
    """Of observations that differ in `axis` only, the one that took the least time; it says which that was."""
    groups: dict[tuple[tuple[str, Value], ...], list[Observation]] = {}
    for one in observations:
        groups.setdefault(tuple((name, value) for name, value in one.point.items() if name != axis), []).append(one)
    best = []
    for rest, group in groups.items():
        chosen = min(group, key=lambda one: one.seconds.estimate if one.seconds else math.inf)
        others = f", the fastest of {len(group)}" if len(group) > 1 else ""
        best.append(replace(chosen, point=dict(rest), notes=(f"{axis}={chosen.point[axis]}{others}", *chosen.notes)))
    return tuple(best)
