"""Workers for one checkout: they find the user's own kernels from its scenario's folder on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tbench.execution.executor import Executor, Worker
from tbench.records import Case

SECONDS = 30.0


class At:
    """Another executor's workers, told where to look. Two of these over one executor measure two checkouts.

    `installed_first`: as for `own.look_in`. `scattered`: every worker has its memory laid out a little differently.
    """

    def __init__(
        self, executor: Executor, folder: Path, installed_first: bool = False, scattered: bool = False
    ) -> None:
        self.executor, self.folder, self.installed_first = executor, folder, installed_first
        self.scattered = scattered

    def start(self, like: Case | None = None, look: Mapping[str, Any] | None = None) -> Worker:
        look = {"folder": str(self.folder), "installed_first": self.installed_first}
        worker = self.executor.start(like, look)
        try:
            if self.scattered:
                worker.ask("scatter", SECONDS)
        except BaseException:
            worker.close()
            raise
        return worker

    def close(self) -> None:
        self.executor.close()
