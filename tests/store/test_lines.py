"""What is appended to a run comes back, whatever cuts it short."""

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
from tbench.store import FINISHED, UNFINISHED, RunFolder, jsonfile, write_file
from tests.store.runs import HEADER_GIVEN, started, three
from tests.synthetic import ENVIRONMENT, attention, every_status, failed, ok

TEXT = st.text(st.characters(), max_size=30)
FINITE = st.floats(-1e299, 1e299)
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
        assert set(RunFolder.open(tmp_path).finished()) == {one.case.id for one in measurements[:2]}
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
        assert set(run.finished()) == {one.case.id for one in measurements[:2]}
        run.append(measurements[2])
    assert RunFolder.open(tmp_path).measurements() == measurements
    assert len(RunFolder.open(tmp_path).header["resumed"]) == 1


def test_killed_while_appending_keeps_every_whole_line(tmp_path: Path) -> None:
    program = (
        "import sys; from tests.store.runs import HEADER_GIVEN; from tbench.store import RunFolder\n"
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
        assert len(run.finished()) >= len(seen)


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


@pytest.mark.parametrize("place", ["before the write", "half way", "before the disk has it"])
def test_ctrl_c_while_a_case_is_saved_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    write, sync = os.write, os.fsync

    def interrupted(handle: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", write)
        if place == "half way":
            write(handle, data[: len(data) // 2])
        raise KeyboardInterrupt

    def unsynced(handle: int) -> None:
        monkeypatch.setattr(os, "fsync", sync)
        raise KeyboardInterrupt

    with RunFolder.create(tmp_path, HEADER_GIVEN) as run:
        run.append(three()[0])
        if place == "before the disk has it":
            monkeypatch.setattr(os, "fsync", unsynced)
        else:
            monkeypatch.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run.append(three()[1])
        assert list(run.finished().values()) == three()[:2]
        run.append(three()[2])
        assert list(run.finished().values()) == three()


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
    assert flash.case.id not in RunFolder.open(tmp_path).finished()
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
