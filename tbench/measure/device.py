"""What a device must be able to do to be measured, the CPU, and devices by their names.

Everything else talks to the `Device` protocol, which a test can play with a clock of its own.
"""

from __future__ import annotations

import os
import re
from itertools import repeat
from resource import RUSAGE_SELF, getrusage
from time import perf_counter, perf_counter_ns, process_time, sleep  # bound here: a kernel may replace the module's
from typing import Any, Protocol

from tbench.errors import UsageError
from tbench.measure import allocator, machine
from tbench.measure.allocations import CpuWatch, Watch
from tbench.measure.cuda import UNKNOWN_CACHE_BYTES, CudaDevice
from tbench.measure.timed import STRAY_SECONDS, Call, Timed, no_garbage_collection

TASKS = "/proc/self/task"
REST_STEP, REST_STILL, LONGEST_REST = 1e-3, 1e-4, 0.2  # seconds: between two looks; of processor time in one; at most


class Device(Protocol):
    """What the sampler, the scales and the ceilings need of a device.

    `asynchronous`: calls return before the work is done, so host time is a figure of its own. `sample_seconds`:
    how long a batch of short calls should last to be timed well.
    """

    name: str
    asynchronous: bool
    sample_seconds: float

    def now(self) -> float:
        """Seconds on a monotonic clock."""
        ...

    def synchronize(self) -> None:
        """Wait until everything submitted to the device, on any stream, is done."""
        ...

    def time(self, fn: Call, calls: int, ahead: bool = False, longer: float = 0.0) -> Timed:
        """Run `fn` `calls` times. Work that ends only after a call has returned is waited for, and counted.

        `ahead`: submit all of it before an asynchronous device begins; the sample says whether that was so. `longer`:
        seconds that it then begins later still.
        """
        ...

    def rest(self) -> None:
        """Wait until threads that a call has used have gone to sleep: others are about to be timed."""
        ...

    def cache_bytes(self) -> int:
        """Size of the last-level cache; a large guess where it is not known."""
        ...

    def free_bytes(self) -> int:
        """Memory that can be allocated now."""
        ...

    def release(self) -> bool:
        """Give memory that is only kept for later calls to the processes beside this one; whether there was any."""
        ...

    def watch_memory(self) -> Watch:
        """A context manager that counts allocated bytes."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """Clocks, throttling, power and temperature now (`telemetry.OF_A_BLOCK`); empty on a CPU."""
        ...


class CpuDevice:
    """`crowded`: processes beside this one need the memory that it has freed, so `release` gives it back."""

    name = "cpu"
    asynchronous = False
    sample_seconds = 1e-3

    def __init__(self, crowded: bool = False) -> None:
        self.crowded = crowded
        self.known: frozenset[str] = frozenset()

    def know_threads(self) -> None:
        """What threads there are now are PyTorch's own, which end their work before a call returns."""
        self.known = frozenset(os.listdir(TASKS)) if os.path.isdir(TASKS) else frozenset()  # noqa: PTH112, PTH208

    def now(self) -> float:
        return perf_counter()

    def synchronize(self) -> None:
        pass

    def time(self, fn: Call, calls: int, ahead: bool = False, longer: float = 0.0) -> Timed:
        with no_garbage_collection():
            faults = getrusage(RUSAGE_SELF).ru_minflt
            began = perf_counter_ns()
            for _ in repeat(None, calls - 1):
                fn()
            result = fn()
            ended = perf_counter_ns()
            faults = getrusage(RUSAGE_SELF).ru_minflt - faults
        stray = self.stray()
        return Timed((ended - began + stray) / calls * 1e-9, None, faults, result)

    def stray(self) -> int:
        """Nanoseconds for which threads of the kernel's own go on after its call has returned."""
        if not self.known or not running(self.foreign()):
            return 0
        began = perf_counter_ns()
        while running(self.foreign()):
            sleep(STRAY_SECONDS)
        return perf_counter_ns() - began

    def foreign(self) -> list[str]:
        return [task for task in os.listdir(TASKS) if task not in self.known]  # noqa: PTH208 (between samples)

    def rest(self) -> None:
        """OpenMP's threads spin for a while after a call, as in any program; the next process shall not feel it.

        To make them sleep at once (OMP_WAIT_POLICY=PASSIVE) would have them woken for every parallel region inside a
        call: short kernels then take up to 2.4 times as long as they do in a program.
        """
        ends = perf_counter() + LONGEST_REST
        before = process_time()
        while perf_counter() < ends:
            sleep(REST_STEP)
            now = process_time()
            if now - before < REST_STILL:
                return
            before = now

    def cache_bytes(self) -> int:
        return machine.last_level_cache_bytes() or UNKNOWN_CACHE_BYTES

    def free_bytes(self) -> int:
        return machine.free_memory_bytes()

    def release(self) -> bool:
        return self.crowded and allocator.give_back()

    def watch_memory(self) -> Watch:
        return CpuWatch()

    def snapshot(self) -> dict[str, Any]:
        return {}


def running(tasks: list[str]) -> bool:
    """Whether any of these threads is computing, or waiting for a processor or a disk."""
    for task in tasks:
        try:
            with open(f"{TASKS}/{task}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123 (polled)
                if file.read().rpartition(")")[2].split()[0] in "RD":
                    return True
        except OSError:
            continue  # it has ended
    return False


def open_device(name: str, crowded: bool = False) -> Device:
    """The device called `cpu` or `cuda:N` (as `resolve` returns it), made current in this process."""
    return CpuDevice(crowded) if name == "cpu" else CudaDevice(int(name.removeprefix("cuda:")))


def resolve(text: str, torch_module: Any = None) -> str:
    """`auto`, `cpu`, `cuda` or `cuda:N` to `cpu` or `cuda:N`.

    `auto` is the first CUDA device, or the CPU where there is none. Raises UsageError for a device that does not
    exist, with what to write or install instead. Imports torch unless the answer is plain.
    """
    asked = text.strip().lower()
    if asked == "cpu":
        return asked
    match = re.fullmatch(r"auto|cuda(?::(\d+))?", asked, re.ASCII)
    if match is None:
        raise UsageError(f"device {text!r}: write auto, cpu, cuda or cuda:N (N from 0), as in --device cuda:0")
    if torch_module is None:
        import torch as torch_module
    cuda = torch_module.cuda
    count = int(cuda.device_count()) if cuda.is_available() else 0
    index = int(match[1] or 0)
    if asked == "auto" and not count:
        return "cpu"
    if index < count:
        return f"cuda:{index}"
    if count:
        names = ", ".join(f"cuda:{i} ({cuda.get_device_name(i)})" for i in range(count))
        raise UsageError(f"device {text!r} does not exist; this machine has {names}: name one of them, or cpu")
    version = torch_module.version
    if version.cuda is None and getattr(version, "hip", None) is None:
        raise UsageError(
            f"device {text!r}: the installed PyTorch ({torch_module.__version__}) is built without CUDA; "
            "install a CUDA build (https://pytorch.org/get-started/locally) or write --device cpu"
        )
    raise UsageError(
        f"device {text!r}: PyTorch finds no CUDA device; check that nvidia-smi lists one and that "
        "CUDA_VISIBLE_DEVICES does not hide it, or write --device cpu"
    )
