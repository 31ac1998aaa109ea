"""What a shell sees: pipes that close, disks that are full, terminals without Unicode, folders with odd files."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from rich.cells import cell_len

from tbench.tables.printable import CONTROL

pytestmark = pytest.mark.whole
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
    user = {"XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "2", "FORCE_COLOR": "1"}
    done = shell("tbench run tiny.yaml -o run --device cpu", folder, **user)
    assert done.returncode == 0, done.stderr
    assert len([*folder.glob("cache/tbench/ceilings-*.json")]) == 1  # measured, and kept
    (folder / "messages").write_text(done.stderr)
    return folder


def on_terminal(words: str, cwd: Path, **environment: str) -> str:
    """What a command writes to a terminal that takes its standard output and its messages."""
    main, inner = pty.openpty()
    command = [sys.executable, "-m", "tbench", *words.split()]
    with subprocess.Popen(command, cwd=cwd, env={**os.environ, **environment}, stdout=inner, stderr=inner) as process:
        os.close(inner)
        seen = b""
        with suppress(OSError):  # how the end of a terminal is told on Linux
            while part := os.read(main, 4096):
                seen += part
        os.close(main)
        assert process.wait(timeout=120) == 0, seen.decode()
    return seen.decode()


# ---------------------------------------------------------------------- what progress and tables look like, and where


def test_a_log_has_a_line_per_case_and_no_frames_even_where_colours_are_forced(place: Path) -> None:
    messages = (place / "messages").read_text()  # FORCE_COLOR=1, no terminal
    assert "\x1b" not in messages and "tiny.yaml: starting PyTorch" in messages.splitlines()[0]
    assert [line[:5] for line in messages.splitlines() if "attention/forward" in line] == ["[1/2]", "[2/2]"]


def test_colours_are_for_terminals_and_can_be_declined(place: Path) -> None:
    assert "\x1b[" in on_terminal("report run", place, TERM="xterm")
    assert "\x1b" not in on_terminal("report run", place, TERM="xterm", NO_COLOR="1")


def test_sixty_columns_are_enough(place: Path) -> None:
    for words in ("report run", f"table {ROOT}/results/cpu-2core/document --lang zh"):
        done = shell(f"tbench {words}", place, COLUMNS="60")
        assert done.returncode == 0
        assert max(map(cell_len, done.stdout.splitlines())) <= 60


def test_a_locale_without_unicode_is_no_obstacle(place: Path) -> None:
    done = shell(f"tbench table {ROOT}/results/cpu-2core/document", place, LC_ALL="C")
    assert done.returncode == 0 and "holds" in done.stdout and "Traceback" not in done.stderr


def test_there_is_a_sign_of_life_before_anything_heavy_is_imported(place: Path) -> None:
    heavy = ("torch", "pydantic", "pandas", "scipy", "yaml")
    program = (
        "import sys, tbench.cli.output as output\n"
        "from tbench.cli import exit_code\n"
        f"output.starting = lambda what: print(what, *[m for m in {heavy} if m in sys.modules])\n"
        "exit_code(['run', 'missing.yaml'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=place, capture_output=True, text=True)
    assert done.stdout == "missing.yaml\n" and "missing.yaml" in done.stderr


def test_control_characters_are_shown_and_not_obeyed(place: Path, tmp_path: Path) -> None:
    """In a reason, as a kernel's error may hold them."""
    shutil.copytree(place / "run", tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run/measurements.jsonl").read_text().splitlines()]
    lines[1] |= {"status": "error", "reason": "boom \x1b]0;owned\x07\x1b[2J\u202e\x00 end", "turns": []}
    (tmp_path / "run/measurements.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for words in ("report run", "report run --format md", "report run --format csv", "export run --format junit"):
        done = shell(f"tbench {words}", tmp_path)
        assert done.returncode == 0, done.stderr
        assert "boom" in done.stdout
        assert not CONTROL.search(done.stdout) and not CONTROL.search(done.stderr), words


@pytest.mark.parametrize("words", ["--help", "list", "list tiny.yaml", "report run", "table run", "schema"])
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


def test_several_scenarios_on_a_dumb_terminal_with_modules_beside_them(tmp_path: Path) -> None:
    """A folder each, a line per case and no colours; workers import nothing from here."""
    (tmp_path / "random.py").write_text("raise RuntimeError('not yours')")
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    (tmp_path / "other.yaml").write_text(SCENARIO.replace("name: tiny", "name: other"))
    words = "run tiny.yaml other.yaml -o both --device cpu"
    seen = on_terminal(words, tmp_path, PYTHONSAFEPATH="1", TERM="dumb")
    assert "\x1b" not in seen and seen.count("[2/2] attention/forward") == 2 and "latency" in seen
    assert (tmp_path / "both" / "tiny" / "results.csv").exists()
    assert (tmp_path / "both" / "other" / "results.csv").exists()
