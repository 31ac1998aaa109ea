"""Workers for one checkout: they find the user's own kernels from its scenario's folder on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tbench.execution.executor import Executor, Worker
from tbench.records import Case


class At:
    """Another executor's workers, told where to look. Two of these over one executor measure two checkouts.

    `installed_first`: as for `own.look_in`.
    """

    def __init__(self, executor: Executor, folder: Path, installed_first: bool = False) -> None:
        self.executor, self.folder, self.installed_first = executor, folder, installed_first

    def start(self, like: Case | None = None, look: Mapping[str, Any] | None = None) -> Worker:
        return self.executor.start(like, {"folder": str(self.folder), "installed_first": self.installed_first})

    def close(self) -> None:
        self.executor.close()
