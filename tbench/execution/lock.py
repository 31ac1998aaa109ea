"""One measuring run at a time on a device: two would time each other."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tbench.errors import StoreError

FOLDER = "TBENCH_LOCK_DIR"  # names another folder for the locks: for tests, whose times do not matter


def lock_path(device: str) -> Path:
    """The lock file of a device, the same for every user and copy of tbench on this machine. Raises StoreError.

    `device`: `cpu`, or a GPU's UUID: with CUDA_VISIBLE_DEVICES, `cuda:0` is another GPU in every process.
    """
    given = os.environ.get(FOLDER)
    if given and not Path(given).is_dir():  # another folder in its place would lock nothing out
        raise StoreError(f"{FOLDER}={given}: there is no such folder; create it, or unset the variable")
    shared = Path(given or "/tmp")  # not TMPDIR, which differs between users
    return (shared if shared.is_dir() else Path(tempfile.gettempdir())) / f"tbench-{device.replace(':', '')}.lock"


@contextmanager
def device_lock(
    device: str,
    waiting: Callable[[str], None],
    poll_seconds: float = 1.0,
    uuid: str | None = None,
    shared: bool = False,
) -> Iterator[None]:
    """Hold the device's lock, beside others that are `shared` if this is. Calls `waiting` once with a sentence if
    another run has it, then waits.

    `uuid`: a GPU's own. Containers that do not share `/tmp` do not see each other's locks.
    """
    path = lock_path(uuid or device)
    descriptor = opened(path)
    try:
        with suppress(OSError):  # the file may be another user's; sharing it is all that is wanted
            os.fchmod(descriptor, 0o666)
        told = False
        while True:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
                    waiting(f"another tbench run (process {holder}) is measuring on {device}; waiting for it to end")
                    told = True
                time.sleep(poll_seconds)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)  # releases the lock


def opened(path: Path) -> int:
    """The lock file, made if it is not there; never what a link in its place leads to. Raises StoreError."""
    plain = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        try:  # without O_CREAT first: in /tmp some systems refuse it for a file of somebody else
            return os.open(path, plain)
        except FileNotFoundError:
            return os.open(path, plain | os.O_CREAT, 0o666)
    except OSError as problem:
        raise StoreError(f"{path}: the device cannot be locked ({problem.strerror}): remove or repair it") from problem
