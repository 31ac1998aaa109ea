"""Files and folders from strangers: read as data or refused. Nothing in them is run, or steers what shows it."""

from __future__ import annotations

import ast
import csv
import io
import json
import subprocess
import sys
import time
import xml.etree.ElementTree as XML
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbench.analysis.run import Run
from tbench.cli import exit_code
from tbench.errors import StoreError
from tbench.report import render
from tbench.store import FINISHED, jsonfile
from tbench.tables.printable import CONTROL, cell
from tests.reliability import fuzzed
from tests.store.runs import HEADER_GIVEN, started
from tests.synthetic import ENVIRONMENT, attention, failed, ok

PACKAGE = Path(__file__).parents[2] / "tbench"
HEAD = "version: 1\nname: {name}\ncomponent: attention\nfixed: {{batch: 1, heads: 2, head_dim: 16}}\n"
SWEEP = "sweep: {seq_len: [32], kernel: [naive]}\n"


def run(tmp_path: Path, text: str, *options: str) -> int:
    (tmp_path / "scenario.yaml").write_text(text)
    command = ["run", str(tmp_path / "scenario.yaml"), "-o", str(tmp_path / "run"), "--device", "cpu", *options]
    return exit_code(command)


def test_user_code_can_be_refused_before_any_of_it_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "k.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef f(q, k, v): ...\n")
    for text, options in (
        (HEAD.format(name="a") + SWEEP.replace("naive", "naive, './k.py:f'"), ()),
        (HEAD.format(name="a") + SWEEP, ("--set", "kernel=./k.py:f")),
    ):
        assert run(tmp_path, text, "--no-user-code", *options) == 2
        assert "kernel: ./k.py:f is a custom kernel, refused by --no-user-code" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "a/b", "..", "a\\b", ".hidden", "'a\\0b'"])
def test_a_name_cannot_lead_out_of_the_results(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, HEAD.format(name=name) + SWEEP) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_ten_million_cases_are_refused_with_their_number_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    axes = f"batch: {[*range(1, 101)]}, seq_len: {[*range(1, 1001)]}, heads: {[*range(1, 101)]}"
    text = "version: 1\nname: a\ncomponent: attention\nfixed: {head_dim: 16}\nsweep: {" + axes + ", kernel: [naive]}\n"
    began = time.monotonic()
    assert run(tmp_path, text) == 2
    assert time.monotonic() - began < 30  # building them would take hours
    assert "10000000 cases" in capsys.readouterr().err


@pytest.mark.parametrize("size", [2**31, 2**63 - 1, 2**63, 2**64, 10**30])
def test_a_size_past_all_memory_gets_a_sentence(tmp_path: Path, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    code = exit_code(["list", str(written(tmp_path, HEAD.format(name="a") + SWEEP.replace("32", str(size))))])
    out, err = capsys.readouterr()
    assert code in (0, 2)
    assert "Traceback" not in err and "Error" not in err
    assert (str(size) in out) == (code == 0)
    if code == 0:
        assert exit_code(["run", str(tmp_path / "scenario.yaml"), "-o", str(tmp_path / "run"), "--device", "cpu"]) == 0
        assert "not started" in (tmp_path / "run" / "results.csv").read_text()


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "scenario.yaml").write_text(text)
    return tmp_path / "scenario.yaml"


EVIL = "=cmd|' /C calc'!A0 \x1b]0;owned\x07\x1b[2J\x00\x9b31m\u202e"


def evil_run(tmp_path: Path) -> Run:
    header = {
        **HEADER_GIVEN,
        "environment": ENVIRONMENT.to_dict(),
        "scenario": {"name": "x", "title": EVIL},
        "command": ["run", EVIL],
    }
    bad = failed(attention(EVIL), "error", EVIL)
    noted = ok(attention("flash"), 1e-3, 1, notes=(EVIL,), ran=EVIL)
    started(tmp_path / "run", [bad, noted], header)
    return Run.read(tmp_path / "run")


def test_a_report_of_a_strangers_run_steers_no_terminal_spreadsheet_or_parser(tmp_path: Path) -> None:
    found = evil_run(tmp_path)
    for format in ("text", "md", "csv"):
        assert not CONTROL.search(render(found, format)), format
    for line in csv.reader(io.StringIO(render(found, "csv"))):
        assert not any(word.startswith(("=", "+", "@")) for word in line)
    json.loads(render(found, "json"))


ODD = (None, True, -1, 0, 1e308, 10**400, "x", "", [], [1], ["x"], {}, {"a": 1}, {"$float": "nan"}, {"$float": "x"})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in JSON, from the outside in."""
    yield path
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def put(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = put(value[path[0]], path[1:], odd)
    return changed


LINE = json.loads(jsonfile.dumps(ok(attention("flash"), 1e-3, 1).to_dict()))
HEADER_THERE = json.loads(jsonfile.dumps({"schema_version": 1, "status": "complete", **HEADER_GIVEN, "cases": ["x"]}))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*places(LINE)]), st.sampled_from(ODD))
def test_a_measurement_with_anything_in_place_of_a_value_is_read_or_refused(path: tuple[Any, ...], odd: Any) -> None:
    fuzzed.run_lines((json.dumps(put(LINE, path, odd)) + "\n").encode() * 2)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([*places(HEADER_THERE)]), st.sampled_from(ODD))
def test_a_header_with_anything_in_place_of_a_value_is_read_or_refused(path: tuple[Any, ...], odd: Any) -> None:
    fuzzed.run_header(json.dumps(put(HEADER_THERE, path, odd)).encode())


def test_json_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    started(tmp_path / "run", [])
    with (tmp_path / "run" / FINISHED).open("ab") as file:
        file.write(b"[" * 10**5 + b"]" * 10**5 + b"\n{}\n")
    with pytest.raises(StoreError, match="nested too deeply"):
        Run.read(tmp_path / "run")


def test_exports_of_a_strangers_run_are_well_formed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil_run(tmp_path)
    assert exit_code(["export", str(tmp_path / "run"), "--format", "junit"]) == 0
    XML.fromstring(capsys.readouterr().out)


@given(st.text())
def test_words_for_a_cell_steer_nothing_and_compute_nothing(text: str) -> None:
    assert not CONTROL.search(cell(text))
    assert not cell(text).startswith(("=", "+", "-", "@"))


FORBIDDEN = {
    "eval": {"eval"},
    "exec": {"exec"},
    "pickle": {"load", "loads", "Unpickler"},
    "yaml": {"load", "load_all", "unsafe_load", "full_load"},
    "marshal": {"load", "loads"},
    "shelve": {"open"},
    "torch": {"load"},
    "np": {"load"},
}
# One answer of a worker, bounded in size: a process that this one has started.
ALLOWED = {("execution/local.py", "pickle.loads")}


def calls(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
            found.add(node.func.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            named = {node.attr} & FORBIDDEN.get(node.value.id, set())
            found |= {f"{node.value.id}.{attribute}" for attribute in named}
    return found


def test_nothing_from_a_file_is_evaluated_or_unpickled() -> None:
    found = {(str(file.relative_to(PACKAGE)), call) for file in PACKAGE.rglob("*.py") for call in calls(file)}
    assert found == ALLOWED


def test_that_guard_sees_what_it_should(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("import pickle, yaml\neval('1')\npickle.load(f)\nyaml.load(f)\nyaml.parse(f)\n")
    assert calls(file) == {"eval", "pickle.load", "yaml.load"}


def test_reading_a_run_runs_nothing_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evil_run(tmp_path)
    for name in ("tbench.py", "json.py", "sitecustomize.py", "k.py"):
        (tmp_path / "run" / name).write_text("raise SystemExit('ran')")
    monkeypatch.chdir(tmp_path / "run")
    for words in (["report", "."], ["table", "."], ["export", ".", "--format", "junit"]):
        assert exit_code(words) in (0, 2)
    command = "import sys; from tbench.cli import main; sys.argv[1:] = ['report', '.']; main()"  # as `tbench` starts it
    done = subprocess.run([sys.executable, "-P", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0 and "ran" not in done.stderr.split()


def test_how_a_verdict_came_about_steers_no_terminal_either(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = {**HEADER_GIVEN, "environment": ENVIRONMENT.to_dict(), "command": ["run", EVIL]}
    pair = [ok(attention("naive", batch=EVIL), 2e-3, 1), ok(attention("flash", batch=EVIL), 1e-3, 2)]
    naive, flash = pair
    started(tmp_path / "run", [naive, replace(flash, baseline=naive.case.id)], header)
    for words in (["--explain", "C9"], ["--details"], []):
        assert exit_code(["table", str(tmp_path / "run"), *words]) == 0
        out, err = capsys.readouterr()
        assert not CONTROL.search(out) and not CONTROL.search(err)


@pytest.mark.parametrize("version", [0, 2, 99, "1", None, [], {}])
def test_a_run_of_another_schema_is_refused_with_its_version(
    tmp_path: Path, version: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    evil_run(tmp_path)
    header = json.loads((tmp_path / "run/run.json").read_text())
    (tmp_path / "run/run.json").write_text(json.dumps({**header, "schema_version": version}))
    assert exit_code(["report", str(tmp_path / "run")]) == 2
    assert f"has schema_version {json.dumps(version)}, this tbench reads 1" in capsys.readouterr().err
