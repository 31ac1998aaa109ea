"""CUDA's side of `measure.device`: two clocks, memory and telemetry.

The plain clock records an event on an idle device and then submits the calls: the device waits for the first launch,
and where kernels are short it waits for every launch. The *queue-ahead* clock keeps the device busy with a spin kernel
until everything is submitted:

    spin   start event   call call call …   end event          all of it queued while the spin still runs

If the start event has not been reached when the last call has been submitted, the host cannot be in the time between
the events, and every sample is asked. (The idea is nvbench's blocking kernel; a spin that ends by itself cannot
deadlock where a call waits for the device.)
"""

from __future__ import annotations

from functools import cached_property
from itertools import repeat
from time import perf_counter  # bound here: a kernel may replace the module's
from typing import Any

from tbench.measure.allocations import CudaWatch, Watch
from tbench.measure.telemetry import OF_A_BLOCK, Telemetry
from tbench.measure.timed import STRAY_SECONDS, Call, Timed, no_garbage_collection

UNKNOWN_CACHE_BYTES = 128 * 2**20  # where the size of the last-level cache is not known
MARGIN = 1.5  # a spin lasts as long as the host needed before, times this
PATIENCE = 0.9  # of one spin's length that the next keeps, where less would have done
SHORTEST_SPIN, LONGEST_SPIN = 0.2e-3, 20e-3  # seconds; the shortest still tells the clock to a percent
COVER_SECONDS = 50e-6  # of a first spin, under which the launch of the second one hides
TRIAL_CYCLES = 2_000_000  # about a millisecond, to learn how long a cycle is


class CudaDevice:
    """`torch_module` is torch; a test passes a fake of it."""

    asynchronous = True
    sample_seconds = 1e-3  # events resolve about half a microsecond, the first launch costs a few

    def __init__(self, index: int, torch_module: Any = None, telemetry: Telemetry | None = None) -> None:
        if torch_module is None:
            import torch as torch_module
        self.torch, self.cuda = torch_module, torch_module.cuda
        self.index, self.name = index, f"cuda:{index}"
        self.cuda.set_device(index)
        self.properties = self.cuda.get_device_properties(index)
        self.telemetry = telemetry or Telemetry(str(self.properties.uuid))
        self.lead = 0.0  # seconds per call that a spin should last: what the host needs, and some more

    def use_own_stream(self) -> None:
        """Do everything from now on on a stream of its own: the default one cannot be captured."""
        self.cuda.set_stream(self.cuda.Stream(self.index))

    def now(self) -> float:
        return perf_counter()

    def synchronize(self) -> None:
        self.cuda.synchronize(self.index)

    def time(self, fn: Call, calls: int, ahead: bool = False, longer: float = 0.0) -> Timed:
        return self.queued(fn, calls, longer) if ahead else self.eager(fn, calls)

    def eager(self, fn: Call, calls: int) -> Timed:
        """Between two events on the current stream, with work that other streams still had to do added.

        A call that starts work on another stream and does not wait for it ends before its work does. The device
        is therefore waited for as a whole, and what it needed beyond the end event is part of the sample.
        """
        _, start, end = self.events
        with no_garbage_collection():
            start.record()
            began = self.now()
            for _ in repeat(None, calls - 1):
                fn()
            result = fn()
            submitted = self.now()
            end.record()
            end.synchronize()
            reached = self.now()
            self.cuda.synchronize(self.index)
            done = self.now()
            self.cuda.synchronize(self.index)
            idle = self.now() - done
        seconds = start.elapsed_time(end) * 1e-3
        stray = done - reached - idle
        stray = stray if stray > STRAY_SECONDS else 0.0
        host = (submitted - began) / calls
        self.lead = min(LONGEST_SPIN / calls, max(self.lead, MARGIN * host))
        return Timed((seconds + stray) / calls, host, None, result, stray=stray / calls)

    def queued(self, fn: Call, calls: int, longer: float = 0.0) -> Timed:
        """Between two events that the device reaches after everything has been submitted, if the spin was long enough;
        `ahead` says whether it was. Work on other streams is hidden under the spin: see `ahead.hides`. `longer`:
        seconds that the spin lasts beyond that."""
        before, start, end = self.events
        cycles = int((max(SHORTEST_SPIN, self.lead * calls) + longer) * self.cycles_per_second)
        with no_garbage_collection():
            self.cuda._sleep(int(COVER_SECONDS * self.cycles_per_second))
            launching = self.now()
            before.record()
            self.cuda._sleep(cycles)
            covered = self.now() - launching < COVER_SECONDS
            start.record()
            began = self.now()
            for _ in repeat(None, calls - 1):
                fn()
            result = fn()
            submitted = self.now()
            end.record()
            ahead = not start.query()
            end.synchronize()
            self.cuda.synchronize(self.index)
        host = (submitted - began) / calls
        if ahead:
            self.lead = max(MARGIN * host, PATIENCE * self.lead)
        else:
            self.lead = min(LONGEST_SPIN / calls, max(2 * self.lead, MARGIN * host))
        spun = before.elapsed_time(start) * 1e-3
        clock = cycles / spun * 1e-6 if covered else None  # a launch that took longer is in `spun`
        return Timed(start.elapsed_time(end) * 1e-3 / calls, host, None, result, ahead, sm_mhz=clock)

    @cached_property
    def events(self) -> tuple[Any, Any, Any]:
        """Before the spin, start, end. Recorded once: an event comes into being with its first record, which takes
        longer than the others."""
        events = tuple(self.cuda.Event(enable_timing=True) for _ in range(3))
        for event in events:
            event.record()
        self.synchronize()
        before, start, end = events
        return before, start, end

    @cached_property
    def cycles_per_second(self) -> float:
        """From a spin of so many cycles; a first one loads its code."""
        before, start, _ = self.events
        self.cuda._sleep(1)
        self.synchronize()
        before.record()
        self.cuda._sleep(TRIAL_CYCLES)
        start.record()
        self.synchronize()
        return float(TRIAL_CYCLES / (before.elapsed_time(start) * 1e-3))

    def rest(self) -> None:
        pass  # a process that has synchronised leaves the device idle

    def cache_bytes(self) -> int:
        return int(self.properties.L2_cache_size or UNKNOWN_CACHE_BYTES)

    def free_bytes(self) -> int:
        return int(self.cuda.mem_get_info(self.index)[0])

    def release(self) -> bool:
        kept = self.cuda.memory_reserved(self.index)
        self.cuda.empty_cache()
        return bool(self.cuda.memory_reserved(self.index) < kept)

    def watch_memory(self) -> Watch:
        return CudaWatch(self.cuda, self.index, self.telemetry)

    def snapshot(self) -> dict[str, Any]:
        return self.telemetry.snapshot(OF_A_BLOCK)
