"""Matches two runs case by case and tests all cases together. Pure: nothing is read or printed here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from tbench.analysis.axes import first_difference
from tbench.analysis.derive import Row
from tbench.analysis.run import Run
from tbench.analysis.statistics import holm
from tbench.analysis.turns import by_round
from tbench.comparison.environment import between_runs
from tbench.comparison.model import Comparison
from tbench.comparison.ratio import Ratio, between, p_above, p_below
from tbench.comparison.verdict import Evidence, compared
from tbench.errors import UsageError

TOLERANCE = 0.05
ALPHA = 0.01


def compare(base: Run, new: Run, tolerance: float = TOLERANCE, alpha: float = ALPHA) -> Comparison:
    """Every case of two runs with its verdict; `tolerance` and `alpha` as in `Comparison`.

    Raises UsageError where they have no case in common.
    """
    old, now = ({row.measurement.case.id: row for row in run.rows} for run in (base, new))
    if not old.keys() & now.keys():
        raise UsageError(f"{base.folder} and {new.folder} have no case in common: {_why(old, now)}")
    pairs = {case: (old.get(case), now.get(case)) for case in {**old, **now}}
    ratios = {
        case: between(by_round(one.measurement.turns), by_round(other.measurement.turns))
        for case, (one, other) in pairs.items()
        if one and other and one.latency and other.latency and same_device(one, other)
    }
    evidence = evidence_of(ratios, tolerance, alpha)
    return Comparison(
        base,
        new,
        tolerance,
        alpha,
        rows=tuple(compared(*pair, evidence.get(case)) for case, pair in pairs.items()),
        differences=tuple(between_runs(base, new)),
        warnings=tuple(warnings(base, new)),
    )


def same_device(one: Row, other: Row) -> bool:
    """Whether two rows were measured on the same type of device. Rows of a run on one machine do not name theirs and
    count as the same; the environments of the two runs are compared elsewhere."""
    names = {one.measurement.device_name, other.measurement.device_name} - {""}
    return len(names) < 2


def evidence_of(ratios: Mapping[str, Ratio], tolerance: float, alpha: float) -> dict[str, Evidence]:
    """What is shown of each case, at `alpha` for all of them together.

    Slower and faster are two questions, each with Holm's procedure over all cases (Holm 1979): a comparison calls some
    case SLOWER that is not with probability `alpha` at most, and so for FASTER.
    """
    bar = math.log1p(tolerance)
    known = [case for case, ratio in ratios.items() if ratio.known]
    p_slower = {case: p_above(ratios[case], bar) for case in known}
    p_faster = {case: p_below(ratios[case], -bar) for case in known}
    slower, faster = (
        {case: p <= alpha for case, p in zip(known, holm([*found.values()]), strict=True)}
        for found in (p_slower, p_faster)
    )
    return {
        case: Evidence(
            ratio,
            tolerance,
            alpha / max(1, len(known)),
            p_slower.get(case),
            p_faster.get(case),
            slower.get(case, False),
            faster.get(case, False),
        )
        for case, ratio in ratios.items()
    }


def warnings(base: Run, new: Run) -> Iterator[str]:
    """What a reader must know of the runs themselves."""
    if base.folder.resolve() == new.folder.resolve():
        yield "base and new are the same folder: comparing a run with itself"
    for side, run in (("base", base), ("new run", new)):
        if run.header.get("status", "complete") != "complete":
            yield f"the {side} is not complete ({run.header['status']}): continue it with --resume -o {run.folder}"
        yield from (f"{side}: {warning}" for warning in run.environment.warnings)


def _why(old: Mapping[str, Row], now: Mapping[str, Row]) -> str:
    for side, rows in (("base", old), ("new run", now)):
        if not rows:
            return f"the {side} has no cases"
    return first_difference(*([row.measurement.case for row in rows.values()] for rows in (old, now)))
