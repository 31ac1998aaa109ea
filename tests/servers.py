"""Fork servers that the tests of a session share: to import torch anew for every small run is most of what it takes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tbench.execution.local import LocalExecutor, Server, end_group

MOST = 4  # kept: each holds torch
# What differs between tests, and nothing in a server.
OWN = frozenset({"PYTEST_CURRENT_TEST", "COLUMNS", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"})


@dataclass
class Copy:
    """A copy of a shared server, as `subprocess.Popen` has a process."""

    root: Server
    pid: int
    status: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.status is None:
            self.status = self.root.wait(self.pid)
        return self.status

    def kill(self) -> None:
        end_group(self.pid)


@contextmanager
def shared_servers() -> Iterator[None]:
    """Executors get a copy of a server that was started before with the same interpreter, modules and environment."""
    launched = LocalExecutor.launched
    kept: dict[Any, LocalExecutor] = {}

    def copied(
        executor: LocalExecutor, python: str, modules: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[Server, Any]:
        if python != sys.executable:
            return launched(executor, python, modules, environment)
        key = (tuple(modules), tuple(sorted((name, one) for name, one in environment.items() if name not in OWN)))
        if key not in kept:
            while len(kept) >= MOST:
                kept.pop(next(iter(kept))).close()
            kept[key] = started(modules, environment)
        kept[key] = kept.pop(key)  # the latest used is the last to go
        root = kept[key]._root
        root.boot()
        server, pid = root.split()
        server._ready = True
        return server, Copy(root, pid)

    def started(modules: Sequence[str], environment: Mapping[str, str]) -> LocalExecutor:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                LocalExecutor, "launched", lambda own, python, *_: launched(own, python, modules, environment)
            )
            return LocalExecutor()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalExecutor, "launched", copied)
        try:
            yield
        finally:
            for one in kept.values():
                one.close()
