"""What all tests share: a cache and locks of their own, so that they neither touch nor wait for a run of the user's;
and threads that do not keep each other waiting."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tbench.execution.lock import FOLDER
from tests.servers import shared_servers


@pytest.fixture(scope="session", autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Measured ceilings and locks go to a folder of this session, shared by all its tests (and their subprocesses).

    On a machine whose cores are busy, OpenMP's spinning threads make a tiny call on two threads take milliseconds.
    Tests ask for results, not for times, so workers' threads sleep while they wait.
    """
    folder = tmp_path_factory.mktemp("cache")
    shared = folder.parents[1] if "PYTEST_XDIST_WORKER" in os.environ else folder  # peaks, once for all processes
    with pytest.MonkeyPatch.context() as environment, shared_servers():
        environment.setenv("XDG_CACHE_HOME", str(shared / "xdg"))
        environment.setenv(FOLDER, str(folder))
        root = str(Path(__file__).parents[1])
        environment.setenv("PYTHONPATH", root)  # workers do not look into the working directory
        environment.setenv("OMP_WAIT_POLICY", "PASSIVE")
        environment.delenv("COLUMNS", raising=False)  # workers of pytest-xdist have their terminal's
        yield folder
