"""What a shell sees: pipes that close, disks that are full, terminals without Unicode, folders with odd files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCENARIO = """\
version: 1
name: tiny
component: attention
fixed: {batch: 1, heads: 2, head_dim: 16, seq_len: 32}
sweep: {kernel: [naive, flash]}
baseline: {kernel: naive}
sampling: {target: 0.5, min_time: 0.0, max_time: 0.2, min_rounds: 2, max_rounds: 2, warmup: 0.0, turn_time: 0.002}
"""


def shell(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    tbench = f"{sys.executable} -m tbench"
    return subprocess.run(
        ["bash", "-c", command.replace("tbench", tbench)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    (folder / "tiny.yaml").write_text(SCENARIO)
    done = shell("tbench run tiny.yaml -o run --device cpu", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("words", ["--help", "list", "list tiny.yaml", "report run", "schema"])
def test_a_reader_that_leaves_is_no_failure(place: Path, words: str) -> None:
    done = shell(f"tbench {words} | head -1; exit ${{PIPESTATUS[0]}}", place)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", ["report run", "schema", "list tiny.yaml"])
def test_a_full_disk_is_told_in_one_line(place: Path, words: str) -> None:
    done = shell(f"tbench {words} > /dev/full", place)
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_without_unicode_gets_the_table(place: Path) -> None:
    done = shell("tbench report run", place, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "latency" in done.stdout


def test_files_in_the_working_directory_are_not_imported_by_workers(place: Path, tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise RuntimeError('not yours')")
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    done = shell("tbench run tiny.yaml -o run --device cpu -k kernel=flash", tmp_path, PYTHONSAFEPATH="1")
    assert done.returncode == 0, done.stderr


def test_a_machine_that_cannot_be_examined_is_no_bug_of_tbench(place: Path) -> None:
    done = shell("ulimit -v 3000000; tbench run tiny.yaml -o other --device cuda", place)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_report_repeats_without_the_folder(place: Path) -> None:
    report = (place / "run" / "report.md").read_text()
    assert "tbench run tiny.yaml --device cpu" in report


def test_two_scenarios_of_one_name_are_refused_before_anything_is_measured(place: Path) -> None:
    done = shell("tbench run tiny.yaml tiny.yaml -o twice", place)
    assert done.returncode == 2
    assert "two scenarios are named 'tiny'" in done.stderr
    assert not (place / "twice").exists()


def test_several_scenarios_have_a_folder_each(place: Path) -> None:
    (place / "other.yaml").write_text(SCENARIO.replace("name: tiny", "name: other"))
    done = shell("tbench run tiny.yaml other.yaml -o both --device cpu -k kernel=flash", place)
    assert done.returncode == 0, done.stderr
    assert (place / "both" / "tiny" / "results.csv").exists()
    assert (place / "both" / "other" / "results.csv").exists()
