"""Bencher Metric Format: a case's latency in nanoseconds with its 95% interval, its peak memory in bytes.

Source: https://bencher.dev/docs/reference/bencher-metric-format (`bencher run --adapter json --file FILE`).
"""

from __future__ import annotations

from tbench.analysis.run import Run
from tbench.analysis.statistics import Interval
from tbench.report.exchange.cases import timed
from tbench.tables.json import dumps, finite


def render(run: Run) -> str:
    """`{case: {"latency": {"value", "lower_value", "upper_value"}, "peak-memory": {"value"}}}`.

    `latency` is Bencher's own measure, whose unit is ns. A bound or a measure that could not be had is not there.
    """
    metrics: dict[str, dict[str, dict[str, float]]] = {}
    for row, latency in timed(run.rows):
        measures = metrics[row.measurement.case.id] = {"latency": _nanoseconds(latency)}
        if row.peak_memory_bytes is not None:
            measures["peak-memory"] = {"value": row.peak_memory_bytes}
    return dumps(metrics, ascii=True)


def _nanoseconds(latency: Interval) -> dict[str, float]:
    ends = {"value": latency.estimate, "lower_value": latency.low, "upper_value": latency.high}
    return {name: 1e9 * end for name, end in ends.items() if end and finite(end)}
