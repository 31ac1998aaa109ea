"""One measuring run at a time on a device, across processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tbench.execution import lock
from tbench.execution.lock import device_lock

HOLD = """
import sys
from tbench.execution import lock
lock.lock_path = lambda device: lock.Path(sys.argv[1])
with lock.device_lock("cpu", print):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock file of the test's own, so that a real run on this machine is not disturbed."""
    file = tmp_path / "cpu.lock"
    monkeypatch.setattr(lock, "lock_path", lambda device: file)
    return file


def test_a_second_run_waits_and_says_for_whom(path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    said: list[str] = []
    waiting = threading.Event()

    def told(message: str) -> None:
        said.append(message)
        waiting.set()

    def release() -> None:
        waiting.wait(30)
        assert holder.stdin is not None
        holder.stdin.close()

    releaser = threading.Thread(target=release)
    releaser.start()
    with device_lock("cpu", told, poll_seconds=0.02):
        pass
    releaser.join()
    holder.wait()
    assert said == [f"another tbench run (process {holder.pid}) is measuring on cpu; waiting for it to end"]


def test_a_dead_holder_leaves_no_lock(path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    said: list[str] = []
    with device_lock("cpu", said.append, poll_seconds=0.02):
        pass
    assert said == []


def test_each_device_has_its_own_lock() -> None:
    assert lock.lock_path("cuda:0") != lock.lock_path("cuda:1") != lock.lock_path("cpu")
