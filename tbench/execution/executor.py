"""What the scheduler needs of a place to run workers, and the failures it must expect there.

`rounds` is written against these protocols, so that it can be tested with a fake that measures nothing, and so
that other places (another machine) can be added without touching it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tbench.records import Case, Status


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
