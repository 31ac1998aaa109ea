"""An executor that measures nothing: scheduling is tested on a script of what workers say."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tbench.execution.executor import WorkerFailed
from tbench.execution.plan import Draft
from tbench.records import Case, Clock, Memory, Turn, Work


def case(kernel: str, seq_len: int = 64) -> Case:
    return Case("attention", "forward", "cpu", "float32", (("seq_len", seq_len), ("kernel", kernel)))


def draft(of: Case, baseline: Case | None = None) -> Draft:
    return Draft(of, baseline.id if baseline else None, Work(1e6, 1e5), 1000)


class FakeExecutor:
    """`speed[kernel]` is the true time of a call; `fail[kernel]` = (request, failure) to raise there.

    `log` holds (kernel, request) in the order the requests came; `expected` what each process was told of a call's
    time; `alive` counts processes not yet closed.
    """

    def __init__(
        self,
        speed: dict[str, float],
        noise: float = 0.0,
        fail: dict[str, tuple[str, WorkerFailed]] | None = None,
        on: Callable[[str, str], None] = lambda kernel, do: None,
    ) -> None:
        self.speed, self.noise, self.fail, self.on = speed, noise, fail or {}, on
        self.log: list[tuple[str, str]] = []
        self.expected: list[tuple[str, float | None]] = []
        self.alive = 0
        self.clock: Callable[[int], tuple[Clock, float | None]] = lambda round: ("", None)  # and eager seconds
        self.random = random.Random(7)

    def start(self, like: Any = None, look: Any = None) -> FakeWorker:
        self.alive += 1
        return FakeWorker(self)

    def close(self) -> None:
        assert self.alive == 0


class FakeWorker:
    def __init__(self, executor: FakeExecutor) -> None:
        self.executor = executor
        self.kernel = ""
        self.open = True

    def ask(self, do: str, timeout: float, **arguments: Any) -> Any:
        executor = self.executor
        assert self.open
        if do == "prepare":
            self.kernel = str(arguments["case"]["kernel"])
            self.first = arguments["first"]
            executor.expected.append((self.kernel, arguments["expected"]))
        executor.log.append((self.kernel, do))
        executor.on(self.kernel, do)
        at, failure = executor.fail.get(self.kernel, ("", None))
        if failure is not None and at == do:
            raise failure
        if do == "prepare":
            return {"ran": self.kernel, "notes": ()} | ({"error": 1e-7, "error_limit": 1e-4} if self.first else {})
        if do == "turn":
            call = executor.speed[self.kernel] * (1 + executor.noise * executor.random.uniform(-1, 1))
            samples = max(1, int(arguments["seconds"] / call))
            clock, eager = executor.clock(arguments["round"])
            return Turn(arguments["round"], arguments["turn"], 1, (call,) * samples, clock=clock, eager_seconds=eager)
        memory = Memory(peak_bytes=2000, resident_bytes=500) if arguments["weigh"] else None
        return {
            "error": 2e-7,
            "error_limit": 1e-4,
            "memory": memory,
            "costs": {"setup": 0.001},
        }

    def close(self) -> None:
        if self.open:
            self.open = False
            self.executor.alive -= 1
