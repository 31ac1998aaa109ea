"""The comparison as JSON: stable keys, figures in full precision, null for what could not be had."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tbench.analysis.derive import Row
from tbench.analysis.run import Run
from tbench.analysis.statistics import Interval
from tbench.comparison.grid import Grid
from tbench.comparison.model import MEMORY_VERDICTS, VERDICTS, Compared, Comparison
from tbench.comparison.outcome import exit_code

SCHEMA_VERSION = 1


def render(comparison: Comparison, grids: Sequence[Grid] = ()) -> str:
    """One object; its keys are in docs/compare.md. `exit_code` is that of `--fail-on regression`."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "base": _run(comparison.base),
        "new": _run(comparison.new),
        "tolerance": comparison.tolerance,
        "alpha": comparison.alpha,
        "environment": {
            "same": comparison.like_with_like,
            "differences": [
                {"name": one.name, "base": one.base, "new": one.new, "changes_times": one.changes_times}
                for one in comparison.differences
            ],
        },
        "warnings": list(comparison.warnings),
        "counts": {verdict: len(comparison.having(verdict)) for verdict in (*VERDICTS, *MEMORY_VERDICTS)},
        "exit_code": exit_code(comparison),
        "records": [record(row) for row in comparison.rows],
        "grids": [_grid(one) for one in grids] or None,
    }
    return json.dumps(_finite(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def record(row: Compared) -> dict[str, Any]:
    """One case, flat. Times in seconds, memory in bytes, ratios new ÷ base."""
    case = row.case
    return {
        "case": case.id,
        **case.to_dict(),
        "verdict": row.verdict,
        "memory_verdict": row.memory,
        "reason": "; ".join(reason.text for reason in row.reasons),
        **_ends("ratio", row.ratio),
        "p_slower": row.p_slower,
        "p_faster": row.p_faster,
        "smallest_change": row.smallest_change,
        "rounds_needed": row.rounds_needed,
        **_side("base", row.base),
        **_side("new", row.new),
    }


def _side(name: str, row: Row | None) -> dict[str, Any]:
    latency = row.latency if row else None
    return {
        f"{name}_status": row.status if row else None,
        **_ends(f"{name}_seconds", latency),
        f"{name}_rounds": latency.n_rounds if latency else None,
        f"{name}_peak_memory_bytes": row.peak_memory_bytes if row else None,
    }


def _ends(name: str, one: Interval | None) -> dict[str, float | None]:
    return {
        name: one.estimate if one else None,
        f"{name}_low": one.low if one else None,
        f"{name}_high": one.high if one else None,
    }


def _run(run: Run) -> dict[str, Any]:
    told = {name: run.header.get(name) for name in ("status", "started", "ended", "command")}
    return {"folder": str(run.folder), **told, "environment": run.environment.to_dict()}


def _grid(one: Grid) -> dict[str, Any]:
    return {
        "title": dict(one.title),
        "rows": list(one.projection.rows),
        "column": one.projection.column,
        "cells": [
            {
                "row": dict(zip(one.projection.rows, key, strict=True)),
                "column": value,
                "case": row.case.id,
                "ratio": row.ratio.estimate if row.ratio else None,
                "verdict": row.verdict,
                "memory_verdict": row.memory,
            }
            for (key, value), row in one.cells.items()
        ],
    }


def _finite(value: Any) -> Any:
    """JSON has no infinity: a slow-down that no test could have shown is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value
