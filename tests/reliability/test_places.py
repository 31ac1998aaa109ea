"""Folders, disks and users that are not as usual."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tbench.cli import exit_code
from tbench.errors import StoreError
from tbench.store import FINISHED, RunFolder, folder, usercache
from tests.cli.test_whole import SCENARIO
from tests.store.runs import HEADER_GIVEN, three
from tests.synthetic import attention, ok


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    with mounted(tmp_path, "64k") as disk:
        yield disk


@contextmanager
def mounted(tmp_path: Path, size: str) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a file system can only be mounted as root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_keeps_what_is_there_and_goes_on_once_there_is_room(small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 20_000)
    run = RunFolder.create(small_disk / "run", HEADER_GIVEN)
    saved = 0
    with pytest.raises(StoreError, match=r"No space left on device.*--resume"):
        for length in range(1, 1000):
            run.append(ok(attention("flash", length), 1e-3, 1))
            saved = length
    with pytest.raises(StoreError, match="No space left"):
        run.checkpoint([ok(attention("flash", length), 1e-3, 1) for length in range(1, 40)])
    run.close()
    assert saved > 2
    assert len(RunFolder.open(small_disk / "run").measurements()) == saved
    assert not list((small_disk / "run").glob(".*.new"))
    filler.unlink()
    with RunFolder.resume(small_disk / "run", HEADER_GIVEN) as again:
        again.append(ok(attention("naive", 7), 1e-3, 1))
        again.finish()
        assert len(again.finished()) == saved + 1


def test_a_run_on_a_full_disk_ends_in_words_and_goes_on_once_there_is_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with mounted(tmp_path, "1m") as disk:
        (tmp_path / "tiny.yaml").write_text(SCENARIO)
        filler = disk / "filler"
        filler.write_bytes(b"x" * (2**20 - 3 * 4096))
        command = ["run", str(tmp_path / "tiny.yaml"), "-o", str(disk / "run"), "--device", "cpu"]
        assert exit_code(command) == 2
        err = capsys.readouterr().err
        assert "No space left on device" in err and "--resume" in err and "Traceback" not in err
        filler.unlink()
        assert exit_code([*command, "--resume"]) == 0, capsys.readouterr().err
        assert len(RunFolder.open(disk / "run").finished()) == 2


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_measured(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for do in (RunFolder.create, RunFolder.resume, lambda path, header: folder.refuse_taken(path)):
        with pytest.raises(StoreError, match=r"Read-only file system; name another folder with -o"):
            do(small_disk / "run", HEADER_GIVEN)


def test_a_clock_that_was_set_back_changes_dates_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunFolder.create(tmp_path, HEADER_GIVEN) as run:
        run.append(three()[0])
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds")
    monkeypatch.setattr(folder, "_now", lambda: yesterday)
    with RunFolder.resume(tmp_path, HEADER_GIVEN) as run:
        run.append(three()[1])
        run.finish()
    stored = RunFolder.open(tmp_path)
    assert stored.header["ended"] == yesterday < stored.header["started"]
    assert stored.measurements() == three()[:2]


@pytest.mark.parametrize("name", ["time.time(", "datetime.now(", "time.localtime("])
def test_nothing_that_is_measured_or_waited_for_asks_the_wall_clock(name: str) -> None:
    package = Path(folder.__file__).parents[1]
    askers = {
        file.name if file.name != "run.py" else f"{file.parent.name}/run.py"
        for file in package.rglob("*.py")
        if name in file.read_text(encoding="utf-8")
    }
    # Dates of runs, folders and evidence; when peaks were measured.
    dated = {"api.py", "folder.py", "ceilings.py", "baselines.py", "output.py", "calibration.py", "ci.py"}
    assert askers <= dated | {"proof/run.py"}


def test_a_user_without_a_home_is_warned_that_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    assert usercache.problem() == "~/.cache/tbench cannot be written (this user has no home directory)"


def test_a_stranger_without_passwd_entry_home_or_unicode_measures_on_a_cache_that_is_read_only(
    tmp_path: Path, small_disk: Path
) -> None:
    without_users = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /etc/passwd && exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*without_users, "true"]).returncode:
        pytest.skip("the password database can only be hidden by root, with unshare")
    (small_disk / "tbench").mkdir()
    for peaks in usercache.folder().glob("ceilings-*.json"):
        shutil.copy(peaks, small_disk / "tbench")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ["PYTHONPATH"],
        "OMP_WAIT_POLICY": "PASSIVE",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "XDG_CACHE_HOME": str(small_disk),
        "TBENCH_LOCK_DIR": str(tmp_path),
    }
    command = "-m tbench run tiny.yaml -o run --device cpu --set kernel=naive,flash"
    done = subprocess.run(
        [*without_users, sys.executable, *command.split()],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=120,
    )
    err = done.stderr.decode(errors="replace")
    assert done.returncode == 0, err
    assert "Traceback" not in err
    assert "cannot be written (Read-only file system)" in err
    assert (tmp_path / "run" / FINISHED).read_bytes().count(b"\n") == 2
