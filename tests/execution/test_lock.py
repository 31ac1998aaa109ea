"""One measuring run at a time on a device, across processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tbench.errors import StoreError
from tbench.execution import lock
from tbench.execution.lock import device_lock

HOLD = """
import sys
from tbench.execution.lock import device_lock
with device_lock("cpu", print):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks of the test's own, here and in its subprocesses."""
    monkeypatch.setenv(lock.FOLDER, str(tmp_path))
    return tmp_path


def holding() -> subprocess.Popen[str]:
    """Another process, which has the lock."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_second_run_waits_and_says_for_whom() -> None:
    holder = holding()
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


def test_a_dead_holder_leaves_no_lock() -> None:
    holder = holding()
    holder.kill()
    holder.wait()
    said: list[str] = []
    with device_lock("cpu", said.append, poll_seconds=0.02):
        pass
    assert said == []


def test_each_device_has_its_own_lock(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lock.lock_path("cpu").parent == own_folder
    monkeypatch.delenv(lock.FOLDER)
    assert lock.lock_path("cpu").parent == Path("/tmp")
    assert lock.lock_path("cuda:0") != lock.lock_path("cuda:1") != lock.lock_path("cpu")


def test_a_folder_for_locks_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(lock.FOLDER, str(tmp_path / "nowhere"))
    with pytest.raises(StoreError, match=r"TBENCH_LOCK_DIR=.*nowhere: there is no such folder; create it"):
        lock.lock_path("cpu")
    with pytest.raises(StoreError, match="create it"), device_lock("cpu", print):
        pass


def test_a_link_in_its_place_is_not_followed(own_folder: Path) -> None:
    precious = own_folder / "precious"
    precious.write_text("kept")
    lock.lock_path("cpu").symlink_to(precious)
    with pytest.raises(StoreError, match="cannot be locked"), device_lock("cpu", print):
        pass
    assert precious.read_text() == "kept"


def test_gpus_are_locked_by_uuid_whatever_they_are_called_here() -> None:
    """`cuda:0` under two masks is two GPUs, and one GPU may be `cuda:0` here and `cuda:1` there."""
    mine, theirs = "1d569442-f6f4-af9f-e6c5-e5d5d1f8eb60", "2e569442-f6f4-af9f-e6c5-e5d5d1f8eb60"
    said: list[str] = []
    with device_lock("cuda:0", said.append, uuid=mine), device_lock("cuda:0", said.append, uuid=theirs):
        assert said == []
    assert lock.lock_path(mine) != lock.lock_path(theirs)

    def try_here() -> None:
        with device_lock("cuda:1", said.append, poll_seconds=0.02, uuid=mine):
            pass

    with device_lock("cuda:0", print, uuid=mine):
        waiting = threading.Thread(target=try_here)
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
    waiting.join()
    assert said == [f"another tbench run (process {os.getpid()}) is measuring on cuda:1; waiting for it to end"]
