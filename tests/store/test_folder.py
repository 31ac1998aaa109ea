"""Who may write into a run folder: new runs, those that go on, and nobody beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tbench.analysis.run import Run
from tbench.errors import StoreError
from tbench.store import FINISHED, HEADER, UNFINISHED, RunFolder
from tests.store.runs import HEADER_GIVEN, started, three
from tests.synthetic import ENVIRONMENT


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
        assert run.finished() == {}


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


def test_a_run_on_a_cluster_goes_on_there_on_any_node_and_nowhere_else(tmp_path: Path) -> None:
    there = {**HEADER_GIVEN, "executor": "ray", "machines": {"a Example": ENVIRONMENT.to_dict()}}
    RunFolder.create(tmp_path, there).close()
    other_node = {**ENVIRONMENT.to_dict(), "device_name": "Other", "cpu": "Other", "threads": 64}
    RunFolder.resume(tmp_path, {**there, "environment": other_node, "machines": {"b Other": other_node}}).close()
    with RunFolder.resume(tmp_path, {**there, "environment": other_node, "machines": {}}) as run:
        run.update(machines={"c Other": other_node})
    # Rows may be from every node that was ever there.
    assert list(RunFolder.open(tmp_path).header["machines"]) == ["a Example", "b Other", "c Other"]
    with pytest.raises(StoreError, match=r"environment\.torch"):
        RunFolder.resume(tmp_path, {**there, "environment": {**other_node, "torch": "3.0"}})
    with pytest.raises(StoreError, match='executor: "ray" there, null now'):
        RunFolder.resume(tmp_path, HEADER_GIVEN)


def test_resume_takes_what_may_change_between_two_sittings(tmp_path: Path) -> None:
    started(tmp_path, three())
    later = {**HEADER_GIVEN, "environment": {**ENVIRONMENT.to_dict(), "load": 1.5}, "command": ["run", "--resume"]}
    with RunFolder.resume(tmp_path, later) as run:
        assert len(run.finished()) == 3


def test_resume_takes_parts_as_they_are_counted_now(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, {**HEADER_GIVEN, "parts": {"one": 0}}):
        pass
    with RunFolder.resume(tmp_path, {**HEADER_GIVEN, "parts": [("one", 3)]}):
        assert RunFolder.open(tmp_path).header["parts"] == [["one", 3]]


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
            "import sys; from tests.store.runs import HEADER_GIVEN; from tbench.store import RunFolder\n"
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


def test_a_folder_that_cannot_be_locked_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(handle: int, operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(StoreError, match="No locks available; name a folder on a local disk"):
        RunFolder.create(tmp_path, HEADER_GIVEN)


def test_a_run_without_a_readable_environment_is_refused(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, {**HEADER_GIVEN, "environment": {"device": "cpu"}}).close()
    with pytest.raises(StoreError, match="environment or parts cannot be read"):
        Run.read(tmp_path)
