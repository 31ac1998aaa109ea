"""Formats of other tools: each case once, with the right figures and units, in files that their readers accept."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pyperf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from tbench.analysis.run import Run
from tbench.records import STATUSES, Measurement, Memory, Turn
from tbench.report.exchange import (  # not its names: pytest would take them for tests
    FORMATS,
    exporter,
)
from tbench.report.exchange.cases import left_out, timed
from tests.report.exported import HERE, JUNIT, TIMED, cases_of, loads, run_of
from tests.report.readers import READERS, close
from tests.synthetic import attention, failed, ok

BMF = {  # the schema of Bencher's documentation, of its format as it is read
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {name: {"type": "number"} for name in ("value", "lower_value", "upper_value")},
            "required": ["value"],
            "additionalProperties": False,
        },
    },
}

# ------------------------------------------------------------------ all formats


def test_every_format_has_a_reader_here() -> None:
    assert set(READERS) == set(TIMED)


@pytest.mark.parametrize("format", TIMED)
def test_every_timed_case_is_there_once_with_its_figures(every: Run, format: str) -> None:
    read, expected = READERS[format]
    found = list(read(exporter(format)(every)))
    assert [name for name, _ in found] == [row.measurement.case.id for row, _ in timed(every.rows)]
    assert len(found) == 6
    for (_, figures), (row, _) in zip(found, timed(every.rows), strict=True):
        assert close(figures, expected(row))


seconds = st.floats(1e-9, 1e3)


@st.composite
def measurements(draw: st.DrawFn) -> list[Measurement]:
    """Cases of any status; rounds, turns and samples of any number, memory known or not."""
    made = []
    for number in range(draw(st.integers(0, 5))):
        case = attention("naive", 1 + number)
        status = draw(st.sampled_from(STATUSES))
        memory = Memory(draw(st.none() | st.integers(1, 2**45)))
        calls = draw(st.lists(st.integers(1, 10**6), min_size=1, max_size=3))  # of each round
        taken = tuple(
            Turn(which, turn, count, tuple(draw(st.lists(seconds, min_size=1, max_size=3))))
            for which, count in enumerate(calls)
            for turn in range(draw(st.integers(1, 3)))
        )
        if status == "ok":
            made.append(ok(case, 1.0, 1, turns=taken, memory=memory))
        else:
            made.append(
                failed(case, status, "it did not work", turns=draw(st.sampled_from([(), taken])), memory=memory)
            )
    return made


@settings(max_examples=60, deadline=None)
@given(measurements())
def test_figures_survive_the_way_there_and_back(made: list[Measurement]) -> None:
    run = run_of(made)
    for format in TIMED:
        read, expected = READERS[format]
        if format == "pyperf" and not timed(run.rows):
            continue  # pyperf wants a benchmark; the command line refuses to write none
        found = list(read(exporter(format)(run)))
        assert [name for name, _ in found] == [one.case.id for one in made if one.status == "ok"]
        for (_, figures), (row, _) in zip(found, timed(run.rows), strict=True):
            wanted = expected(row)
            if format == "github-action" and "high" in wanted:
                assert figures["high"] == pytest.approx(wanted.pop("high"))
                figures = {name: value for name, value in figures.items() if name != "high"}
            assert close(figures, wanted)
    document = exporter("junit")(run)
    JUNIT.validate(document)
    assert len(cases_of(document)) == len(made)


@pytest.mark.parametrize("format", FORMATS)
def test_no_figure_is_ever_0_for_what_could_not_be_had(every: Run, format: str) -> None:
    document = exporter(format)(replace(every, header={}))
    if format == "junit":
        times = [float(test.attrib["time"]) for test in cases_of(document).values() if "time" in test.attrib]
        assert times and 0 not in times
        return

    def numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from numbers(inner, key)
        elif isinstance(value, list):
            for inner in value:
                yield from numbers(inner, name)
        elif isinstance(value, int | float):
            yield name, value
        else:
            assert value is not None and value != ""

    indices = {"family_index", "per_family_instance_index", "repetition_index"}
    assert not [name for name, value in numbers(loads(document)) if value == 0 and name not in indices]


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_ascii(every: Run, format: str) -> None:
    document = exporter(format)(every)
    assert document.isascii() and document.endswith("\n")


def test_junit_of_a_small_run(small: Run, snapshot: SnapshotAssertion) -> None:
    assert exporter("junit")(small) == snapshot


def test_one_sample_is_enough() -> None:
    run = run_of([ok(attention("flash"), 1e-3, 1, turns=(Turn(0, 0, 4, (1e-3,)),))])
    assert loads(exporter("bmf")(run))[attention("flash").id]["latency"] == {"value": pytest.approx(1e6)}
    assert "range" not in loads(exporter("github-action")(run))[0]
    assert [one["run_type"] for one in loads(exporter("google-benchmark")(run))["benchmarks"]] == ["iteration"]
    assert pyperf.Benchmark.loads(exporter("pyperf")(run)).get_values() == (1e-3,)


def test_an_interval_that_knows_nothing_is_left_out() -> None:
    run = run_of([ok(attention("flash"), 1.0, 1, turns=(Turn(0, 0, 1, (1e-100,)), Turn(1, 0, 1, (1e100,))))])
    assert timed(run.rows)[0][1].high == math.inf
    assert loads(exporter("bmf")(run))[attention("flash").id]["latency"] == {"value": pytest.approx(1e9)}
    assert "range" not in loads(exporter("github-action")(run))[0]


def test_what_is_left_out_is_counted_by_its_reason(every: Run) -> None:
    assert left_out(every.rows) == {
        "unsupported": 1,
        "wrong": 1,
        "timeout": 1,
        "oom": 1,
        "error": 1,
        "not timed (an experiment)": 1,
    }


# ------------------------------------------------------------------ pyperf


def pyperf_says(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "pyperf", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pyperf_shows_and_compares_what_is_exported(every: Run, small: Run, tmp_path: Path) -> None:
    base, new, few = (str(tmp_path / f"{name}.json") for name in ("base", "new", "few"))
    slower = [
        replace(one, turns=tuple(replace(turn, seconds=tuple(1.5 * s for s in turn.seconds)) for turn in one.turns))
        for one in every.measurements
    ]
    Path(base).write_text(exporter("pyperf")(every))
    Path(new).write_text(exporter("pyperf")(run_of(slower)))
    Path(few).write_text(exporter("pyperf")(small))
    compared = pyperf_says("compare_to", base, new)
    assert compared.count("1.50x slower") == 7  # six cases and their geometric mean
    assert all(row.measurement.case.id in compared for row, _ in timed(every.rows))
    assert "Mean +- std dev: 36." in pyperf_says("show", base)
    shown = pyperf_says("show", "--metadata", base)
    assert "cpu_model_name: Example 9000 Processor" in shown and "torch_version: 2.13.0" in shown
    assert "Start date: 2026-01-02 03:04:05" in pyperf_says("stats", few)
    for verb in ("stats", "check", "hist", "dump"):
        assert pyperf_says(verb, few)


def test_pyperf_gets_a_run_per_process_and_the_calls_of_a_sample(small: Run) -> None:
    runs = loads(exporter("pyperf")(small))["benchmarks"][1]["runs"]
    assert [run["values"] for run in runs] == [[6.5e-3, 6.75e-3], [6.625e-3]]
    assert [run["metadata"]["loops"] for run in runs] == [8, 8]
    assert [run["metadata"]["duration"] for run in runs] == pytest.approx([0.106, 0.053])


def test_pyperf_gets_two_runs_of_a_process_that_changed_its_batch() -> None:
    taken = (Turn(0, 0, 2, (1e-3,)), Turn(0, 1, 4, (2e-3,)), Turn(0, 2, 2, (3e-3,)))
    runs = loads(exporter("pyperf")(run_of([ok(attention("flash"), 1e-3, 1, turns=taken)])))["benchmarks"][0]["runs"]
    assert [(run["metadata"]["loops"], run["values"]) for run in runs] == [(2, [1e-3, 3e-3]), (4, [2e-3])]


def test_times_with_the_host_are_not_exported_beside_times_without() -> None:
    one = ok(attention("flash"), 1e-3, 1)
    turns = tuple(replace(turn, clock="eager" if turn.round else "ahead") for turn in one.turns)
    (found,) = loads(exporter("pyperf")(run_of([replace(one, turns=turns)])))["benchmarks"]
    assert len(found["runs"]) == 1


def test_pyperf_takes_a_machine_with_an_odd_name(small: Run) -> None:
    odd = replace(small, environment=replace(HERE, cpu=" two\nlines ", platform=""))
    metadata = pyperf.BenchmarkSuite.loads(exporter("pyperf")(odd)).get_metadata()
    assert metadata["cpu_model_name"] == "two lines" and "platform" not in metadata


# ------------------------------------------------------------------ github-action-benchmark, Bencher, google-benchmark


def test_github_action_has_the_form_of_its_documentation(every: Run) -> None:
    entries = loads(exporter("github-action")(every))
    assert len({entry["name"] for entry in entries}) == len(entries) == 11  # one has no peak memory
    for entry in entries:
        assert set(entry) <= {"name", "unit", "value", "range", "extra"}
        assert isinstance(entry["value"], int | float) and entry["value"] > 0
        assert all(isinstance(entry[name], str) for name in ("name", "unit", "extra"))
    baseline, _, flash, memory = entries[:4]
    assert baseline["extra"].startswith("baseline of its group\ncpu (Example 9000 Processor), 2 threads\ntorch 2.13.0")
    assert flash["extra"].startswith("speed-up 5.") and "× [" in flash["extra"]
    assert memory["unit"] == "bytes" and memory["value"] == 8 * 1024 * 64 * 16 and "range" not in memory


def test_bmf_has_the_form_of_its_documentation(every: Run) -> None:
    document = loads(exporter("bmf")(every))
    jsonschema.validate(document, BMF)
    assert all(len(name) <= 1024 for name in document)  # Bencher's limit
    first = document[attention("naive").id]
    assert first["latency"]["lower_value"] < first["latency"]["value"] < first["latency"]["upper_value"]
    assert first["latency"]["value"] == pytest.approx(36.1e6, rel=0.05)
    assert "peak-memory" not in document[attention("flash", 65536).id]


def test_google_benchmark_has_what_its_compare_tool_reads(every: Run) -> None:
    document = loads(exporter("google-benchmark")(every))
    assert document["context"]["date"] == "2026-01-02T03:04:05+00:00" and document["context"]["num_cpus"] == 2
    assert document["context"]["cpu_time"].startswith("not measured; repeats real_time")
    for entry in document["benchmarks"]:
        assert {"name", "run_name", "run_type", "real_time", "cpu_time", "time_unit"} <= set(entry)
        assert entry["cpu_time"] == entry["real_time"]
        assert ("repetition_index" in entry) == (entry["run_type"] == "iteration")
        assert entry["repetitions"] == 4
    names = [entry["name"] for entry in document["benchmarks"]]
    case = attention("naive").id
    assert names[:6] == [case] * 4 + [f"{case}_median", f"{case}_stddev"]
    assert len(set(names)) == 3 * 6
    assert [entry["family_index"] for entry in document["benchmarks"]] == [n for n in range(6) for _ in range(6)]
