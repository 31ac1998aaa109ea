"""The run folder: what is appended comes back, whatever cuts the run short."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tbench.analysis.run import Run
from tbench.errors import StoreError
from tbench.records import Case, Measurement, Memory, Turn, Work
from tbench.store import FINISHED, HEADER, UNFINISHED, RunFolder, jsonfile, write_file
from tests.synthetic import ENVIRONMENT, attention, every_status, failed, ok

HEADER_GIVEN: dict[str, Any] = {
    "scenario": {"name": "attention", "sweep": {"seq_len": (512, 1024)}, "sampling": {"target": 0.02}},
    "environment": ENVIRONMENT.to_dict(),
    "seed": 0,
    "select": [],
    "counts": {"planned": 3},
}

TEXT = st.text(st.characters(), max_size=30)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SECONDS = st.lists(st.floats(1e-9, 1e4), min_size=1, max_size=4).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | TEXT, lambda inner: st.lists(inner, max_size=3)
)
CASES = st.builds(
    Case,
    st.sampled_from(["attention", "norm"]),
    st.sampled_from(["forward", "decode"]),
    st.just("cpu"),
    st.just("float32"),
    st.dictionaries(TEXT, st.integers() | st.booleans() | FINITE | TEXT, max_size=4).map(lambda d: tuple(d.items())),
)
MEASUREMENTS = st.builds(
    Measurement,
    case=CASES,
    status=st.sampled_from(["unsupported", "oom", "timeout", "wrong", "error"]),
    reason=TEXT.filter(bool),
    notes=st.lists(TEXT, max_size=2).map(tuple),
    ran=TEXT,
    baseline=st.none() | TEXT,
    turns=st.lists(
        st.builds(
            Turn,
            st.integers(0, 9),
            st.integers(0, 9),
            st.integers(1, 99),
            SECONDS,
            SECONDS,
            st.dictionaries(TEXT, JSON, max_size=2),
        ),
        max_size=3,
    ).map(tuple),
    stopped=TEXT,
    target=st.none() | FINITE,
    error=st.none() | st.floats(allow_nan=False),
    error_limit=st.none() | FINITE,
    memory=st.none()
    | st.builds(Memory, st.none() | st.integers(0, 2**60), unavailable=st.dictionaries(TEXT, TEXT, max_size=2)),
    work=st.none() | st.builds(Work, FINITE, FINITE, st.none() | st.integers(0, 2**60)),
    costs=st.dictionaries(TEXT, FINITE, max_size=2),
)


def three() -> list[Measurement]:
    return [
        ok(attention("naive"), 36e-3, 1),
        ok(attention("flash"), 6e-3, 2),
        failed(attention("flex"), "oom", "too big"),
    ]


def started(folder: Path, measurements: list[Measurement]) -> None:
    with RunFolder.create(folder, HEADER_GIVEN) as run:
        for measurement in measurements:
            run.append(measurement)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60, deadline=None
)
@given(st.lists(MEASUREMENTS, max_size=4, unique_by=lambda one: one.case.id))
def test_any_measurement_comes_back_as_it_was(tmp_path: Path, measurements: list[Measurement]) -> None:
    folder = tmp_path / str(time.monotonic_ns())
    started(folder, measurements)
    assert RunFolder.open(folder).measurements() == measurements
    for line in (folder / FINISHED).read_bytes().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_nan_and_infinities_come_back(tmp_path: Path) -> None:
    wrong = [
        failed(attention(kernel), "wrong", "not a number", error=value)
        for kernel, value in (("a", math.nan), ("b", math.inf), ("c", -math.inf))
    ]
    started(tmp_path, wrong)
    errors = [one.error for one in RunFolder.open(tmp_path).measurements()]
    assert math.isnan(errors[0] or 0) and errors[1:] == [math.inf, -math.inf]
    assert b"NaN" not in (tmp_path / FINISHED).read_bytes()


def test_cut_at_any_byte_loses_at_most_the_last_line(tmp_path: Path) -> None:
    measurements = three()
    started(tmp_path, measurements)
    path = tmp_path / FINISHED
    data = path.read_bytes()
    begin = data.rfind(b"\n", 0, len(data) - 1) + 1
    for end in range(begin, len(data)):
        path.write_bytes(data[:end])
        assert RunFolder.open(tmp_path).done_ids() == {one.case.id for one in measurements[:2]}
    path.write_bytes(data[:begin] + b"\0" * 100 + b"\n")  # length on the disk before the content
    assert len(RunFolder.open(tmp_path).measurements()) == 2


@pytest.mark.parametrize("left", [1, 40, 400])
def test_resume_cuts_the_torn_line_and_goes_on_after_it(tmp_path: Path, left: int) -> None:
    measurements = three()
    started(tmp_path, measurements)
    path = tmp_path / FINISHED
    data = path.read_bytes()
    path.write_bytes(data[: data.rfind(b"\n", 0, len(data) - 1) + 1 + left])
    with RunFolder.resume(tmp_path, HEADER_GIVEN) as run:
        assert run.done_ids() == {one.case.id for one in measurements[:2]}
        run.append(measurements[2])
    assert RunFolder.open(tmp_path).measurements() == measurements
    assert len(RunFolder.open(tmp_path).header["resumed"]) == 1


def test_killed_while_appending_keeps_every_whole_line(tmp_path: Path) -> None:
    program = (
        "import sys; from tests.test_store import HEADER_GIVEN; from tbench.store import RunFolder\n"
        "from tests.synthetic import attention, ok\n"
        "run = RunFolder.create(sys.argv[1], HEADER_GIVEN)\n"
        "for number in range(1, 10**6):\n"
        "    run.append(ok(attention('flash', number), 1e-3, 1)); print(number, flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    seen = [int(child.stdout.readline()) for _ in range(20)]
    child.kill()
    seen += [int(line) for line in child.stdout.read().split()]
    child.wait()
    assert len(RunFolder.open(tmp_path).measurements()) >= len(seen) >= 20
    with RunFolder.resume(tmp_path, HEADER_GIVEN) as run:  # the lock went with the process
        assert len(run.done_ids()) >= len(seen)


def test_a_line_that_is_not_a_measurement_is_pointed_at(tmp_path: Path) -> None:
    started(tmp_path, three())
    path = tmp_path / FINISHED
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"half": tru\n' + lines[2])
    with pytest.raises(StoreError, match=rf"{FINISHED}:2: is not a measurement.*remove the line"):
        RunFolder.open(tmp_path).measurements()


def test_of_a_case_measured_again_the_last_counts(tmp_path: Path) -> None:
    again = ok(attention("flash"), 7e-3, 9)
    started(tmp_path, [*three(), again])
    found = RunFolder.open(tmp_path).measurements()
    assert len(found) == 3
    assert again in found


def test_create_makes_the_header(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "deep" / "run", HEADER_GIVEN) as run:
        for measurement in three():
            run.append(measurement)
        stored = json.loads((run.path / HEADER).read_text())
        assert stored["status"] == "running" and stored["ended"] is None
        run.update(environment={**ENVIRONMENT.to_dict(), "load": 0.5})
        run.finish()
    stored = json.loads((run.path / HEADER).read_text())
    assert stored["schema_version"] == 1
    assert stored["status"] == "complete" and stored["started"] <= stored["ended"]
    assert stored["counts"] == {"planned": 3, "ok": 2, "oom": 1}
    assert stored["scenario"]["sweep"] == {"seq_len": [512, 1024]}
    assert stored["environment"]["load"] == 0.5


@pytest.mark.parametrize("name", [HEADER, UNFINISHED, "results.csv", "report.md", "table.md"])
def test_a_folder_with_another_run_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(StoreError, match=r"already holds a run.*--resume.*-o"):
        RunFolder.create(tmp_path, HEADER_GIVEN)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_a_run_killed_before_its_first_write_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / FINISHED).touch()
    with RunFolder.create(tmp_path, HEADER_GIVEN) as run:
        assert run.done_ids() == set()


def test_other_files_are_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    RunFolder.create(tmp_path, HEADER_GIVEN).close()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_resume_starts_a_run_where_there_is_none(tmp_path: Path) -> None:
    with RunFolder.resume(tmp_path / "new", HEADER_GIVEN) as run:
        assert run.header["status"] == "running"
        assert "resumed" not in run.header


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"scenario": {**HEADER_GIVEN["scenario"], "name": "other"}}, r'scenario.name: "attention" there, "other" now'),
        (
            {"scenario": {**HEADER_GIVEN["scenario"], "sweep": {"seq_len": [512]}}},
            r"scenario.sweep.seq_len: \[512, 1024\] there",
        ),
        (
            {"scenario": {**HEADER_GIVEN["scenario"], "fixed": {"batch": 2}}},
            r'scenario.fixed: null there, {"batch": 2} now',
        ),
        ({"seed": 1}, "seed: 0 there, 1 now"),
        ({"select": ["kernel=flash"]}, "select"),
        (
            {"environment": {**ENVIRONMENT.to_dict(), "device": "cuda:0"}},
            'environment.device: "cpu" there, "cuda:0" now',
        ),
        ({"environment": {**ENVIRONMENT.to_dict(), "threads": 1}}, "environment.threads"),
        ({"scenario": {str(n): n for n in range(9)}}, "and 7 more"),
    ],
)
def test_resume_refuses_another_run_and_says_what_differs(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    started(tmp_path, three())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StoreError, match=said) as refused:
        RunFolder.resume(tmp_path, {**HEADER_GIVEN, **changed})
    assert "name another folder with -o" in str(refused.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_resume_takes_what_may_change_between_two_sittings(tmp_path: Path) -> None:
    started(tmp_path, three())
    later = {**HEADER_GIVEN, "environment": {**ENVIRONMENT.to_dict(), "load": 1.5}, "command": ["run", "--resume"]}
    with RunFolder.resume(tmp_path, later) as run:
        assert len(run.done_ids()) == 3


@pytest.mark.parametrize("start", [RunFolder.create, RunFolder.resume])
def test_two_runs_in_one_folder_at_a_time_are_refused(tmp_path: Path, start: Any) -> None:
    with RunFolder.create(tmp_path, HEADER_GIVEN) as first:
        with pytest.raises(StoreError, match="-o"):
            start(tmp_path, HEADER_GIVEN)
        first.append(three()[0])
        assert len(RunFolder.open(tmp_path).measurements()) == 1  # reading is always possible
    with pytest.raises(StoreError, match="reading only"):
        first.append(three()[1])
    first.close()


def test_the_lock_is_between_processes(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, HEADER_GIVEN):
        program = (
            "import sys; from tests.test_store import HEADER_GIVEN; from tbench.store import RunFolder\n"
            "RunFolder.resume(sys.argv[1], HEADER_GIVEN)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert "another run is writing to" in done.stderr


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_an_unknown_schema_version_is_refused(tmp_path: Path, version: object) -> None:
    started(tmp_path, three())
    header = json.loads((tmp_path / HEADER).read_text())
    (tmp_path / HEADER).write_text(json.dumps({**header, "schema_version": version}))
    for do in (RunFolder.open, Run.read, lambda path: RunFolder.resume(path, HEADER_GIVEN)):
        with pytest.raises(StoreError, match=r"schema_version .*, this tbench reads 1"):
            do(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[1]", '"x"'])
def test_a_broken_header_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / HEADER).write_text(content)
    with pytest.raises(StoreError, match=HEADER):
        RunFolder.open(tmp_path)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no run"):
        RunFolder.open(tmp_path)
    with pytest.raises(StoreError, match="does not exist"):
        RunFolder.open(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        RunFolder.create(tmp_path / "file", HEADER_GIVEN)
    with pytest.raises(StoreError, match="file"):
        RunFolder.open(tmp_path / "file")


def test_a_failed_append_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunFolder.create(tmp_path, HEADER_GIVEN) as run:
        run.append(three()[0])
        before = (tmp_path / FINISHED).read_bytes()
        write = os.write

        def full(handle: int, data: bytes) -> int:
            if len(data) < 100:
                raise OSError(28, "No space left on device")
            return write(handle, data[: len(data) - 50])

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(StoreError, match=r"No space left on device.*--resume"):
            run.append(three()[1])
        with pytest.raises(StoreError, match="No space left"):
            run.finish()
        monkeypatch.undo()
        assert (tmp_path / FINISHED).read_bytes() == before
        run.append(three()[1])
        assert len(run.finished()) == 2


def test_a_folder_that_cannot_be_locked_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(handle: int, operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(StoreError, match="No locks available; name a folder on a local disk"):
        RunFolder.create(tmp_path, HEADER_GIVEN)


def test_cases_in_flight_survive_until_they_finish(tmp_path: Path) -> None:
    naive, flash, flex = three()
    in_flight = Measurement.from_dict({**flash.to_dict(), "stopped": ""})
    with RunFolder.create(tmp_path, HEADER_GIVEN) as run:
        run.append(flex)
        run.checkpoint([naive])
        run.checkpoint([naive, in_flight])
        run.append(naive)
        run.finish("interrupted")
    assert RunFolder.open(tmp_path).unfinished() == {flash.case.id: in_flight}
    assert flash.case.id not in RunFolder.open(tmp_path).done_ids()
    assert [one.stopped for one in RunFolder.open(tmp_path).measurements()] == ["", "target", "interrupted"]
    with RunFolder.resume(tmp_path, HEADER_GIVEN) as run:
        assert run.unfinished() == {flash.case.id: in_flight}
        run.append(flash)
        run.finish()
    assert not (tmp_path / UNFINISHED).exists()
    assert RunFolder.open(tmp_path).measurements() == [flex, naive, flash]


def test_a_run_reads_in_the_scenarios_order(tmp_path: Path) -> None:
    measurements = every_status()
    header = {**HEADER_GIVEN, "cases": [one.case.id for one in measurements]}
    with RunFolder.create(tmp_path, header) as run:
        for one in reversed(measurements):
            run.append(one)
    read = Run.read(tmp_path)
    assert [one.case for one in read.measurements] == [one.case for one in measurements]
    assert read.environment == ENVIRONMENT
    assert "environment" not in read.header and "cases" not in read.header
    assert read.frame().case.tolist() == [one.case.id for one in measurements]


def test_a_run_without_a_readable_environment_is_refused(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, {**HEADER_GIVEN, "environment": {"device": "cpu"}}).close()
    with pytest.raises(StoreError, match="environment cannot be read"):
        Run.read(tmp_path)


def test_a_derived_file_is_replaced_whole(tmp_path: Path) -> None:
    write_file(tmp_path / "report.md", "old, and longer")
    write_file(tmp_path / "report.md", "neu: ±")
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == "neu: ±"
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    with pytest.raises(StoreError, match="No such file"):
        write_file(tmp_path / "nowhere" / "report.md", "")


@given(
    st.recursive(
        st.floats() | TEXT | st.integers() | st.none(), lambda inner: st.dictionaries(TEXT, inner) | st.lists(inner)
    )
)
def test_json_keeps_every_float(value: Any) -> None:
    line = jsonfile.dumps(value)
    assert line.count(b"\n") == 1
    assert repr(jsonfile.loads(line)) == repr(value)
