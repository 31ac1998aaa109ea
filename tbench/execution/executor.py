"""What the scheduler needs of a place to run workers, and the failures it must expect there.

`rounds` is written against these protocols, so that it can be tested with a fake that measures nothing, and so
that other places (another machine) can be added without touching it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from tbench.records import Case, Status

SCATTER_SECONDS = 30.0


class WorkerFailed(Exception):
    """A request did not come to its end. `status` and `reason` are what the case's row will say."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status: Status = status
        self.reason = reason


class Worker(Protocol):
    """One fresh process. It holds at most one case."""

    def ask(self, do: str, timeout: float, **arguments: Any) -> Any:
        """Have the worker do something (a method of `worker.Session`) and return its answer.

        Raises WorkerFailed: status `timeout` after `timeout` seconds (the process is killed), otherwise what
        went wrong inside or how the process died.
        """
        ...

    def close(self) -> None:
        """End the process, whatever it is doing."""
        ...

    def kill(self) -> None:
        """Make the process end, from another thread than the one that asks: its request fails."""
        ...


class Executor(Protocol):
    def start(self, like: Case | None = None, look: Mapping[str, Any] | None = None) -> Worker:
        """A fresh worker process, for the case `like` if given. `look`: arguments of its `look_in`, asked first."""
        ...

    def close(self) -> None: ...


class At:
    """Another executor's workers, which find the user's own kernels from a scenario's folder on.

    Two of these over one executor measure two checkouts.

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
                worker.ask("scatter", SCATTER_SECONDS)
        except BaseException:
            worker.close()
            raise
        return worker

    def close(self) -> None:
        self.executor.close()
