"""The process that keeps the results is ended, in every stage of a case: it says so in a line, leaves no process and
no half-written file, and `--resume` completes the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tbench.cli import exit_code
from tbench.store import RunFolder

pytestmark = pytest.mark.whole
# Says where it is, and stays there for as long as a test may need to see it, once.
KERNEL = """\
import os, time
from pathlib import Path
import torch.nn.functional as F

calls = 0

def reached(stage):
    there = Path(__file__).with_name(stage)
    if not there.exists():
        there.touch()
        time.sleep(0.7)

def staged(problem):
    reached("set-up")
    def attend(q, k, v):
        global calls
        calls += 1
        reached("first call" if calls == 1 else "turn" if calls > 8 else "between")
        return F.scaled_dot_product_attention(q, k, v, is_causal=problem.causal)
    return attend
"""
SCENARIO = """\
version: 1
name: staged
component: attention
fixed: {batch: 1, heads: 2, head_dim: 16}
sweep: {seq_len: [32, 48], kernel: [naive, "./kernels.py:staged"]}
baseline: {kernel: naive}
sampling: {target: 0.5, min_time: 0.0, max_time: 0.2, min_rounds: 2, max_rounds: 2, warmup: 0.0, turn_time: 0.002}
"""
MARK = "TBENCH_TEST_MARK"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "kernels.py").write_text(KERNEL)
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    return tmp_path


def start(place: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tbench", "run", "scenario.yaml", "-o", "run", "--device", "cpu"]

    def hear() -> None:  # whatever these tests were started with: in the background, under nohup
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    environment = {**os.environ, MARK: str(place)}
    return subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear
    )


def wait_for(path: Path) -> None:
    ends = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < ends, path
        time.sleep(0.01)


def left_behind(place: Path) -> list[int]:
    """Processes that the run has started and that still live."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"{MARK}={place}\0".encode() in file.read_bytes():
                found.append(int(file.parent.name))
    return found


def nothing_is_left(place: Path) -> bool:
    ends = time.monotonic() + 30
    while left_behind(place) and time.monotonic() < ends:
        time.sleep(0.05)
    return not left_behind(place)


@pytest.mark.parametrize(
    ("stage", "numbers"),
    [
        ("set-up", [signal.SIGTERM]),
        ("first call", [signal.SIGHUP]),
        ("turn", [signal.SIGINT, signal.SIGINT]),
        ("turn", [signal.SIGKILL]),
    ],
)
def test_what_was_measured_is_kept_and_the_run_goes_on(
    place: Path, stage: str, numbers: list[signal.Signals], capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "scenario.yaml").write_text(SCENARIO.replace("[32, 48]", "[32]"))
    process = start(place)
    wait_for(place / stage)
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert "Continue with: --resume -o run" in err
    assert nothing_is_left(place)
    run = place / "run"
    assert not [file for file in run.iterdir() if file.name.endswith(".new")] or number == signal.SIGKILL
    kept = RunFolder.open(run).finished()  # every file can be read
    command = ["run", str(place / "scenario.yaml"), "-o", str(run), "--device", "cpu", "--resume"]
    assert exit_code(command) == 0, capsys.readouterr().err
    lines = [json.loads(line) for line in (run / "measurements.jsonl").read_text().splitlines()]
    assert len(lines) == 2 == len({line["id"] for line in lines})
    assert {one.case.id: one for one in RunFolder.open(run).measurements()}.items() >= kept.items()


def test_a_killed_server_ends_the_run_in_words_and_it_goes_on_from_there(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = start(place)
    wait_for(place / "turn")
    for pid in left_behind(place):
        with suppress(OSError):
            if b"tbench.execution.forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)  # the server, and its workers, which are called as it is
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and "Traceback" not in err
    assert "the worker server did not answer" in err and "--resume" in err
    assert nothing_is_left(place)
    command = ["run", str(place / "scenario.yaml"), "-o", str(place / "run"), "--device", "cpu", "--resume"]
    assert exit_code(command) == 0, capsys.readouterr().err
    assert len(RunFolder.open(place / "run").finished()) == 4


def test_ctrl_c_once_finishes_what_is_being_measured(place: Path) -> None:
    process = start(place)
    wait_for(place / "turn")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "press Ctrl-C again to stop now" in err
    assert "Traceback" not in err
    assert nothing_is_left(place)
    run = RunFolder.open(place / "run")
    assert run.header["status"] == "interrupted"
    assert {one.case["seq_len"] for one in run.finished().values()} == {32}
    assert len(run.finished()) == 2
    assert not run.unfinished()
    assert "interrupted" in (place / "run" / "report.md").read_text()
    assert len((place / "run" / "results.csv").read_text().splitlines()) == 3
