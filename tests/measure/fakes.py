"""Devices whose time is scripted: the clock moves only when a call is run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

from tbench.measure.timed import Timed

Call = Callable[[], Any]


class ScriptedDevice:
    """A `Device` with a clock of its own. `spend(seconds)` makes a call that takes so long.

    `faults`: page faults of every call, None as on a GPU.
    """

    def __init__(
        self,
        *,
        asynchronous: bool = False,
        host_share: float = 0.0,
        faults: int | None = None,
        free: int = 1 << 30,
    ) -> None:
        self.name = "cpu"
        self.asynchronous = asynchronous
        self.sample_seconds = 1e-3
        self.host_share, self.faults, self.free = host_share, faults, free
        self.clock = 0.0
        self.log: list[str] = []
        self.snapshots: Iterator[dict[str, Any]] = iter(())

    def spend(self, seconds: float | Callable[[float], float]) -> Call:
        """A call that takes `seconds`, or what `seconds` says for the time at which it starts."""

        def call() -> None:
            self.clock += seconds(self.clock) if callable(seconds) else seconds

        return call

    def now(self) -> float:
        self.clock += 1e-9  # looking at the clock takes time, too
        return self.clock

    def synchronize(self) -> None:
        self.log.append("synchronize")

    def time(self, fn: Call, calls: int, ahead: bool = False, longer: float = 0.0) -> Timed:
        self.log.append(f"time {calls}")
        began = self.clock
        result = None
        for _ in range(calls):
            result = fn()
        seconds = (self.clock - began) / calls
        host_seconds = seconds * self.host_share if self.asynchronous else None
        return Timed(seconds, host_seconds, None if self.faults is None else self.faults * calls, result)

    def rest(self) -> None:
        self.log.append("rest")

    def cache_bytes(self) -> int:
        return 1 << 20

    def free_bytes(self) -> int:
        return self.free

    def release(self) -> bool:
        return False

    def watch_memory(self) -> Any:
        return nullcontext()

    def snapshot(self) -> dict[str, Any]:
        return next(self.snapshots, {})


class FakeCuda:
    """What `CudaDevice` uses of `torch.cuda`: a host and two streams, each with the time at which it will be idle.

    `launch` submits a kernel, `launch_seconds` (a number, or what gives one) is what that costs the host; at most
    `depth` of them pend on a stream, the next one blocks. `idle_seconds`: what waiting for an idle device costs the
    host. `hz`: cycles of the device in a second.
    """

    def __init__(
        self,
        launch_seconds: float | Callable[[], float] = 10e-6,
        idle_seconds: float = 5e-6,
        depth: int = 1024,
        hz: float = 1.98e9,
    ) -> None:
        self.launch_seconds, self.idle_seconds, self.depth, self.hz = launch_seconds, idle_seconds, depth, hz
        self.host = 0.0
        self.free_at = {"current": 0.0, "other": 0.0}
        self.pending: deque[float] = deque()  # ends of what is still queued on the current stream
        self.spun = 0.0
        self.stats: list[dict[str, int]] = []
        self.reserved, self.in_use = 0, 0
        self.log: list[str] = []

    def launch(self, seconds: float, stream: str = "current") -> None:
        self.host += self.launch_seconds() if callable(self.launch_seconds) else self.launch_seconds
        if stream == "current":
            while self.pending and self.pending[0] <= self.host:
                self.pending.popleft()
            if len(self.pending) >= self.depth:
                self.host = max(self.host, self.pending[-self.depth])
        self.free_at[stream] = max(self.free_at[stream], self.host) + seconds
        if stream == "current":
            self.pending.append(self.free_at[stream])

    def _sleep(self, cycles: int) -> None:
        self.spun += cycles / self.hz
        self.launch(cycles / self.hz)

    def wait(self, stream: str, other: str) -> None:
        """What is submitted to `stream` from now on begins when `other` has done what it has."""
        self.free_at[stream] = max(self.free_at[stream], self.free_at[other])

    def Event(self, enable_timing: bool) -> FakeEvent:
        assert enable_timing
        return FakeEvent(self)

    def synchronize(self, index: int = 0) -> None:
        self.host = max(self.host, *self.free_at.values()) + self.idle_seconds

    def set_device(self, index: int) -> None:
        self.log.append(f"set_device {index}")

    def get_device_properties(self, index: int) -> Any:
        return SimpleNamespace(uuid="11111111-2222-3333-4444-555555555555", name="Fake GPU", L2_cache_size=1 << 20)

    def mem_get_info(self, index: int) -> tuple[int, int]:
        return 3 << 30, 4 << 30

    def empty_cache(self) -> None:
        self.log.append("empty_cache")
        self.reserved = self.in_use

    def memory_reserved(self, index: int) -> int:
        return self.reserved

    def reset_peak_memory_stats(self, index: int) -> None:
        self.log.append("reset_peak")

    def memory_stats(self, index: int) -> dict[str, int]:
        return self.stats.pop(0)


class FakeEvent:
    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda

    def record(self) -> None:
        self.cuda.host += 1e-6
        self.at = max(self.cuda.free_at["current"], self.cuda.host)
        self.cuda.free_at["current"] = self.at

    def query(self) -> bool:
        return self.at <= self.cuda.host

    def synchronize(self) -> None:
        self.cuda.host = max(self.cuda.host, self.at)

    def elapsed_time(self, end: FakeEvent) -> float:
        return (end.at - self.at) * 1e3
