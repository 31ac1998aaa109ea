"""What a file of another tool's format says, in seconds and bytes, and what it should say."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyperf
import pytest

from tbench.analysis.derive import Row
from tbench.records import Turn
from tests.report.exported import loads

Figures = Mapping[str, Any]


def from_pyperf(text: str) -> Iterator[tuple[str, Figures]]:
    for benchmark in pyperf.BenchmarkSuite.loads(text).get_benchmarks():
        assert benchmark.get_unit() == "second"
        yield (
            benchmark.get_name(),
            {"runs": [(run.values, run.get_loops(), run._get_duration()) for run in benchmark.get_runs()]},
        )


def from_github(text: str) -> Iterator[tuple[str, Figures]]:
    entries = loads(text)
    memory = {entry["name"]: entry for entry in entries if entry["unit"] == "bytes"}
    for entry in entries:
        if entry["unit"] == "bytes":
            continue
        assert entry["unit"] == "ms"
        found = {"latency": entry["value"] / 1e3}
        if "range" in entry:
            assert entry["range"].startswith("± ")
            found["high"] = (entry["value"] + float(entry["range"].removeprefix("± "))) / 1e3
        if weighed := memory.pop(f"{entry['name']} (peak memory)", None):
            found["peak"] = weighed["value"]
        yield entry["name"], found
    assert not memory


def from_bmf(text: str) -> Iterator[tuple[str, Figures]]:
    names = {"value": "latency", "lower_value": "low", "upper_value": "high"}
    for case, measures in loads(text).items():
        found = {names[name]: value / 1e9 for name, value in measures["latency"].items()}
        if "peak-memory" in measures:
            assert list(measures["peak-memory"]) == ["value"]
            found["peak"] = measures["peak-memory"]["value"]
        yield case, found


def from_google(text: str) -> Iterator[tuple[str, Figures]]:
    entries = loads(text)["benchmarks"]
    assert all(entry["time_unit"] == "ns" for entry in entries)
    for name in dict.fromkeys(entry["run_name"] for entry in entries):
        own = [entry for entry in entries if entry["run_name"] == name]
        single = [entry for entry in own if entry["run_type"] == "iteration"]
        assert {entry["name"] for entry in single} == {name}
        yield (
            name,
            {
                "repetitions": [entry["real_time"] / 1e9 for entry in single],
                "calls": [entry["iterations"] for entry in single],
                **{one["aggregate_name"]: one["real_time"] / 1e9 for one in own if one["run_type"] == "aggregate"},
            },
        )


def interval_of(row: Row) -> dict[str, Any]:
    assert row.latency
    ends = {"latency": row.latency.estimate, "low": row.latency.low, "high": row.latency.high}
    return {name: value for name, value in {**ends, "peak": row.peak_memory_bytes}.items() if value is not None}


def rounds_of(row: Row) -> dict[int, list[Turn]]:
    taken = row.measurement.turns
    return {number: [turn for turn in taken if turn.round == number] for number in sorted({one.round for one in taken})}


def runs_of(row: Row) -> dict[str, Any]:
    return {
        "runs": [
            (
                tuple(second for turn in one for second in turn.seconds),
                one[0].calls,
                pytest.approx(sum(second * turn.calls for turn in one for second in turn.seconds)),
            )
            for one in rounds_of(row).values()
        ]
    }


def repetitions_of(row: Row) -> dict[str, Any]:
    medians = [
        math.exp(statistics.median(math.log(statistics.median(turn.seconds)) for turn in one))
        for one in rounds_of(row).values()
    ]
    more = {"median": statistics.median(medians), "stddev": statistics.stdev(medians)} if len(medians) > 1 else {}
    calls = [sum(len(turn.seconds) * turn.calls for turn in one) for one in rounds_of(row).values()]
    return {"repetitions": medians, "calls": calls, **more}


Reader = Callable[[str], Iterator[tuple[str, Figures]]]
READERS: Mapping[str, tuple[Reader, Callable[[Row], dict[str, Any]]]] = {
    "pyperf": (from_pyperf, runs_of),
    "github-action": (from_github, lambda row: {k: v for k, v in interval_of(row).items() if k != "low"}),
    "bmf": (from_bmf, interval_of),
    "google-benchmark": (from_google, repetitions_of),
}


def close(found: Figures, expected: Figures) -> bool:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == (value if name == "runs" else pytest.approx(value, rel=1e-12, abs=1e-18)), name
    return True
