"""Counts the bytes the allocator hands out while a block runs: one watch for CPUs, one for CUDA.

    with device.watch_memory() as watch:
        call()
    watch.transient_bytes       # peak above what was allocated before

The watch must see the result of the call die: do not keep it.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from tbench.measure.telemetry import Telemetry

PROCESS = Path("/proc/self")
RESET_PEAK = "5"  # written to clear_refs: VmHWM becomes the present size (Linux, man 5 proc)


class Watch(Protocol):
    """What was seen between entering and leaving. None is "could not be had"; `unavailable` says why, by name."""

    transient_bytes: int | None
    reserved_bytes: int | None
    process_peak_bytes: int | None
    device_used_bytes: int | None
    unavailable: dict[str, str]

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class CpuWatch:
    """Exact bytes, from the events with which PyTorch's CPU allocator tells its profiler of every block.

    Blocks that other libraries take for themselves (MKL, oneDNN) or that a kernel takes inside an OpenMP thread
    do not pass there; the process peak has them. PyTorch's kernels take their scratch space before they fan out.
    The profiler does not hear of the end of blocks that were there before: they count as there to the end.
    """

    def __init__(self, process: Path = PROCESS) -> None:
        self.process = process
        self.transient_bytes: int | None = None
        self.reserved_bytes: int | None = None
        self.process_peak_bytes: int | None = None
        self.device_used_bytes: int | None = None
        self.unavailable = {"reserved_bytes": "CUDA only", "device_used_bytes": "CUDA only"}

    def __enter__(self) -> Self:
        # `torch.profiler.profile` imports the compiler, a second in every fresh process; this is the same underneath.
        from torch.autograd.profiler import profile

        make: Any = profile  # torch does not declare its methods' types
        with make(use_kineto=True, profile_memory=True):
            pass  # what the profiler sets up once is not the call's
        self.refusal = self.reset_process_peak()
        self.profile = make(use_kineto=True, profile_memory=True)
        self.profile.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.refusal is None:
            self.process_peak_bytes = self.process_peak()
        self.profile.__exit__(kind, problem, trace)
        if self.process_peak_bytes is None:
            self.unavailable["process_peak_bytes"] = self.refusal or "/proc/self/status has no VmHWM"
        events = self.profile.kineto_results.events()
        self.transient_bytes = highest_sum(
            [(event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"]
        )

    def reset_process_peak(self) -> str | None:
        """Make the kernel forget the process's peak so far; why it could not, else None."""
        try:
            (self.process / "clear_refs").write_text(RESET_PEAK)
        except OSError as refused:
            return f"the peak of the process cannot be reset here ({refused.strerror})"
        return None

    def process_peak(self) -> int | None:
        for line in (self.process / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return None


class CudaWatch:
    """Bytes from the caching allocator's counters; the process's and the device's from NVML where it tells.

    `requested` bytes are what tensors asked for: exact and the same every time, while `allocated` depends on which
    cached blocks were at hand. `reserved` is what was taken from the driver for it.
    """

    def __init__(self, cuda: Any, index: int, telemetry: Telemetry) -> None:
        self.cuda, self.index, self.telemetry = cuda, index, telemetry
        self.transient_bytes: int | None = None
        self.reserved_bytes: int | None = None
        self.process_peak_bytes: int | None = None
        self.device_used_bytes: int | None = None
        self.unavailable: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.cuda.synchronize(self.index)
        self.cuda.empty_cache()  # what earlier passes reserved is not this call's
        self.cuda.reset_peak_memory_stats(self.index)
        self.before = self.cuda.memory_stats(self.index)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if problem is not None:
            return
        self.cuda.synchronize(self.index)
        after = self.cuda.memory_stats(self.index)
        # The cudaMallocAsync backend does not count requested bytes.
        counted = "requested_bytes" if after.get("requested_bytes.all.peak") else "allocated_bytes"
        self.transient_bytes = after[f"{counted}.all.peak"] - self.before[f"{counted}.all.current"]
        self.reserved_bytes = after["reserved_bytes.all.peak"]
        # The cache still holds what the call reserved, so the driver's view now is its view at the peak.
        seen = self.telemetry.snapshot(("process_bytes", "memory_used_bytes"))
        self.process_peak_bytes = seen.get("process_bytes")
        self.device_used_bytes = seen.get("memory_used_bytes")
        for ours, theirs in (("process_peak_bytes", "process_bytes"), ("device_used_bytes", "memory_used_bytes")):
            if theirs in seen["unavailable"]:
                self.unavailable[ours] = seen["unavailable"][theirs]


def highest_sum(events: list[tuple[int, int]]) -> int:
    """Largest running sum of (time, bytes) events in time order: the peak above what was there before."""
    held = peak = 0
    for _, size in sorted(events, key=lambda event: event[0]):
        held += size
        peak = max(peak, held)
    return peak
