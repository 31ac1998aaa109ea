"""github-action-benchmark, tool `customSmallerIsBetter`: latency in ms and peak memory in bytes, an entry each.

Source: https://github.com/benchmark-action/github-action-benchmark, README and src/extract.ts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tbench.analysis.derive import Row
from tbench.analysis.run import Run
from tbench.analysis.statistics import Interval
from tbench.report.exchange.cases import timed
from tbench.tables import units
from tbench.tables.json import dumps, finite


def render(run: Run) -> str:
    """`[{"name", "unit", "value", "range", "extra"}]`; `range` is missing where there is no interval."""
    entries = [entry for row, latency in timed(run.rows) for entry in _entries(run, row, latency)]
    return dumps(entries, ascii=True)


def _entries(run: Run, row: Row, latency: Interval) -> Iterator[dict[str, Any]]:
    name = row.measurement.case.id
    entry = {"name": name, "unit": "ms", "value": 1e3 * latency.estimate}
    high = finite(latency.high)
    if high is not None:
        # One number has to do for both sides: the longer one, as in the report's ± column. The action converts it when
        # the unit changes, for which it must be a number and nothing else.
        entry["range"] = f"± {1e3 * (high - latency.estimate)}"
    yield {**entry, "extra": "\n".join((*_speedup(row), *_environment(run)))}
    if row.peak_memory_bytes is not None:
        yield {
            "name": f"{name} (peak memory)",
            "unit": "bytes",
            "value": row.peak_memory_bytes,
            "extra": "\n".join(_environment(run)),
        }


def _speedup(row: Row) -> Iterator[str]:
    if row.measurement.baseline == row.measurement.case.id:
        yield "baseline of its group"
    elif row.speedup is not None:
        yield f"speed-up {units.times(row.speedup)}"


def _environment(run: Run) -> tuple[str, str]:
    here = run.environment
    return (
        f"{here.device} ({here.device_name}), {here.threads} threads",
        f"torch {here.torch}, Python {here.python}, {here.platform}",
    )
