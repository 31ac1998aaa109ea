"""Turns calls into samples: how many calls a sample needs, warming up, and one visit's worth of samples."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tbench.measure.device import Call, Device
from tbench.measure.telemetry import difference
from tbench.records import Sampling

MOST_CALLS = 1_000_000  # in one sample, whatever the clock says
GROWTH = 10  # of a batch from one attempt to the next: the first calls may be unlike the rest
WARM_BATCH_SECONDS = 5e-3  # how far submission may run ahead of the device while warming up
REWARM_SHARE = 0.2  # of a visit's time
LAUNCH_BOUND = 0.9  # host time ÷ device time from which the host sets the pace


@dataclass(frozen=True)
class Samples:
    """One visit: mean seconds per call of each sample, the host's share on asynchronous devices, telemetry."""

    seconds: tuple[float, ...]
    host_seconds: tuple[float, ...] = ()
    telemetry: Mapping[str, Any] = field(default_factory=dict)


def calibrate(device: Device, fn: Call, sampling: Sampling) -> int:
    """Calls per sample: enough to last `device.sample_seconds`; always 1 with a cold cache (the second is warm).

    A batch that seems long enough is timed once more where warming up would take longer anyway: a disturbance must
    not pass for a slow call.
    """
    if sampling.cache == "cold":
        return 1
    calls = 1
    while True:
        seconds, _ = device.time(fn, calls)
        if device.sample_seconds <= seconds * calls < sampling.warmup:
            seconds = min(seconds, device.time(fn, calls)[0])
        if seconds * calls >= device.sample_seconds or calls >= MOST_CALLS:
            return calls
        needed = math.ceil(device.sample_seconds / seconds) if seconds > 0 else MOST_CALLS
        calls = min(MOST_CALLS, GROWTH * calls, max(2 * calls, needed))


def warm_up(device: Device, fn: Call, seconds: float) -> None:
    """Call `fn` for `seconds`, at least once, keeping the device busy without running far ahead of it."""
    began = device.now()
    calls = 1
    while True:
        batch_began = device.now()
        for _ in range(calls):
            fn()
        device.synchronize()
        now = device.now()
        if now - began >= seconds:
            return
        if now - batch_began < WARM_BATCH_SECONDS / 2:
            calls = min(MOST_CALLS, 2 * calls)


def take_turn(device: Device, fn: Call, calls: int, seconds: float, sampling: Sampling) -> Samples:
    """Samples of `calls` calls each for about `seconds`, at least one, after warming up again.

    Other processes had the machine since the last turn: samples that end within the first fifth of the visit are
    not kept, nor is the first one unless it alone takes the whole visit's time.
    """
    times: list[float] = []
    host_times: list[float] = []
    before = device.snapshot()
    began = device.now()
    first = True
    while True:
        if sampling.cache == "cold":
            device.flush_cache()
        taken, host = device.time(fn, calls)
        elapsed = device.now() - began
        warming = elapsed < REWARM_SHARE * seconds or (first and elapsed < seconds)
        first = False
        if warming:
            continue
        times.append(taken)
        if host is not None:
            host_times.append(host)
        if elapsed >= (1 + REWARM_SHARE) * seconds:
            break
    telemetry = difference(before, device.snapshot()) if before else {}
    if device.asynchronous:
        telemetry["launch_bound"] = launch_bound(times, host_times)
    return Samples(tuple(times), tuple(host_times), telemetry)


def launch_bound(seconds: Sequence[float], host_seconds: Sequence[float]) -> bool:
    """Whether the host needed about as long to submit the calls as the device to run them.

    The device then waits for the host, and the figure says more about Python than about the kernel.
    """
    if not seconds or not host_seconds:
        return False
    return statistics.median(host_seconds) >= LAUNCH_BOUND * statistics.median(seconds)
