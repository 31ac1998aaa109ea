"""google-benchmark's JSON: a case is a benchmark, each process a repetition of it, then the aggregates, all in ns.

Source: https://github.com/google/benchmark, src/json_reporter.cc and src/statistics.cc; its reader is tools/compare.py.

`cpu_time` was not measured, but compare.py fails on a file without it. It repeats `real_time`, and the context says so:
the "CPU" columns of a comparison tell nothing that "Time" does not.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from tbench.analysis.run import Run
from tbench.analysis.turns import log_medians
from tbench.records import Turn
from tbench.report.exchange.cases import processes, timed
from tbench.tables.json import dumps

CPU_TIME = "not measured; repeats real_time, because tools/compare.py fails without it"


def render(run: Run) -> str:
    """`{"context", "benchmarks"}`: an entry per process with its median, and `_median` and `_stddev` of these."""
    benchmarks = [
        entry
        for index, (row, _) in enumerate(timed(run.rows))
        for entry in _entries(row.measurement.case.id, index, processes(row.measurement.turns))
    ]
    return dumps({"context": _context(run), "benchmarks": benchmarks}, ascii=True)


def _context(run: Run) -> dict[str, Any]:
    here = run.environment
    date = run.header.get("started")
    return {
        **({"date": date} if date else {}),
        "executable": "tbench",
        "num_cpus": here.cores,
        "caches": [],  # by level, which is not recorded; Bencher's reader wants the list
        "json_schema_version": 1,
        "cpu_time": CPU_TIME,
        "device": f"{here.device} ({here.device_name})",
        "threads": str(here.threads),
        "torch": here.torch,
        "python": here.python,
        "platform": here.platform,
    }


def _entries(name: str, index: int, repetitions: Sequence[Sequence[Turn]]) -> Iterator[dict[str, Any]]:
    times = [_nanoseconds(turns) for turns in repetitions]
    shared = {"family_index": index, "per_family_instance_index": 0, "run_name": name}
    for number, (turns, time) in enumerate(zip(repetitions, times, strict=True)):
        yield {
            "name": name,
            **shared,
            "run_type": "iteration",
            "repetitions": len(times),
            "repetition_index": number,
            "threads": 1,  # that make calls; how many a call uses stands in the context
            "iterations": sum(len(turn.seconds) * turn.calls for turn in turns),
            **_time(time),
        }
    if len(times) < 2:  # google-benchmark too has aggregates of repetitions only
        return
    for aggregate, value in (("median", statistics.median(times)), ("stddev", statistics.stdev(times))):
        yield {
            "name": f"{name}_{aggregate}",
            **shared,
            "run_type": "aggregate",
            "repetitions": len(times),
            "threads": 1,
            "aggregate_name": aggregate,
            "aggregate_unit": "time",
            "iterations": len(times),
            **_time(value),
        }


def _time(nanoseconds: float) -> dict[str, Any]:
    return {"real_time": nanoseconds, "cpu_time": nanoseconds, "time_unit": "ns"}


def _nanoseconds(turns: Sequence[Turn]) -> float:
    """The median of a process, the replicate that the interval of a latency is made from."""
    return 1e9 * math.exp(statistics.median(log_medians(turns).values()))
