"""What all tests share: a cache and locks of their own, so that they neither touch nor wait for a run of the user's;
and threads that do not keep each other waiting."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before torch is imported. Two processes of tests share the cores: a second thread of each would wait for one, and
# OpenMP's spinning threads make a tiny call take milliseconds. Tests ask for results, not for times.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
if "PYTEST_XDIST_WORKER" in os.environ:
    gc.disable()  # until everything is imported, see below

from tbench.execution.lock import FOLDER
from tbench.measure import cache
from tbench.records import Ceilings
from tests.servers import shared_servers


@pytest.fixture(scope="session", autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Measured ceilings and locks go to a folder of this session, shared by all its tests (and their subprocesses)."""
    gc.freeze()  # what is imported stays; to look through it again and again is a tenth of the time
    gc.enable()
    folder = tmp_path_factory.mktemp("cache")
    shared = folder.parents[1] if "PYTEST_XDIST_WORKER" in os.environ else folder  # peaks, once for all processes
    with pytest.MonkeyPatch.context() as environment, shared_servers():
        environment.setenv("XDG_CACHE_HOME", str(shared / "xdg"))
        environment.setenv(FOLDER, str(folder))
        root = str(Path(__file__).parents[1])
        environment.setenv("PYTHONPATH", root)  # workers do not look into the working directory
        environment.delenv("COLUMNS", raising=False)  # workers of pytest-xdist have their terminal's
        keep_peaks()
        yield folder


def keep_peaks() -> None:
    """Peaks of a machine that no case here reaches, so that none has to be measured: beside another process of tests
    that would be done again whenever that happens to wait. `tests/cli/test_whole.py` has them measured once."""
    import torch

    for threads in {1, 2, len(os.sched_getaffinity(0))}:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
            rates = dict.fromkeys(("float32", "bfloat16", "float16"), 1e13)
            made = Ceilings(rates, ((2**20, 1e12), (2**29, 1e12)), "2026-01-01T00:00:00+00:00", threads)
            cache.save(cache.path("cpu"), made)
