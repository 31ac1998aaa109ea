"""Turns calls into samples: how many calls a sample needs, warming up, and one visit's worth of samples."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from operator import call
from typing import Any, Protocol

from tbench.measure.device import Device
from tbench.measure.telemetry import difference
from tbench.measure.timed import Call, Timed
from tbench.records import Clock, Sampling

MOST_CALLS = 1_000_000  # in one sample, whatever the clock says
GROWTH = 10  # of a batch from one attempt to the next: the first calls may be unlike the rest
WARM_BATCH_SECONDS = 5e-3  # how far submission may run ahead of the device while warming up
REWARM_SECONDS = 0.01  # of a visit, and what it takes longer
FEW = 3  # sets of hot inputs
FAULT_SECONDS, FAULT_SHARE = 5e-7, 0.02  # of a page, at least; of a sample
MOST_UNSETTLED = 2  # samples of a visit
LAUNCH_BOUND = 0.9  # host time ÷ device time from which the host sets the pace


@dataclass(frozen=True)
class Samples:
    """One visit: mean seconds per call of each sample (of `calls` calls), the host's share on asynchronous devices,
    telemetry, and on a CPU page faults per call. The clock as in `records.Turn`; `why` it is not the one asked for."""

    seconds: tuple[float, ...]
    host_seconds: tuple[float, ...] = ()
    telemetry: Mapping[str, Any] = field(default_factory=dict)
    faults: float | None = None
    calls: int = 1
    clock: Clock = ""
    why: str = ""
    eager_seconds: float | None = None
    sm_mhz: float | None = None


class Judge(Protocol):
    """Who says whether a call of the timed sequence gave what it should."""

    def expect(self, index: int) -> None:
        """Give a set of inputs new contents, and work out what its next call should give."""
        ...

    def compare(self, results: Any) -> None:
        """Compare what that call gave. Raises where it is wrong."""
        ...


class Ring:
    """The calls of a case, one for each set of its inputs, in turn.

    `nudge(index)` changes a set; it is called before every use where a sample has one call, or its sets are many: then
    no result can be used twice. (Of few sets and several calls, `remembering` is asked.) The set used last is then
    called once more. `once`: a sample uses a set once at most, for its call writes over it.
    """

    def __init__(
        self, calls: Sequence[Call], nudge: Callable[[int], None] = lambda index: None, once: bool = False
    ) -> None:
        self.calls, self.nudge, self.once = tuple(calls), nudge, once
        self.position = 0

    @property
    def most(self) -> int:
        """Calls in a sample, at most."""
        return len(self.calls) if self.once else MOST_CALLS

    def last(self, calls: int) -> int:
        """The set that the last of the next `calls` calls will use."""
        return (self.position + calls - 1) % len(self.calls)

    def take(self, calls: int, nudge: bool = True) -> Call:
        """What gives the next `calls` calls, one each time it is called."""
        sets = len(self.calls)
        start, self.position = self.position, (self.position + calls) % sets
        if nudge and (calls == 1 or sets == 1 or self.once or FEW < sets >= calls):
            for ahead in range(min(calls, sets)):
                self.nudge((start + ahead) % sets)
            if calls > 1:  # so many changes take a while, and threads may have gone to sleep
                self.calls[start - 1]()
        # All of this runs in C: 70 ns a call, where an object of our own would take three times as long.
        return partial(next, map(call, cycle((*self.calls[start:], *self.calls[:start]))))


def calibrate(device: Device, ring: Ring, sampling: Sampling) -> int:
    """Calls per sample: enough to last `device.sample_seconds`.

    A batch that seems long enough is timed once more where warming up would take longer anyway: a disturbance must
    not pass for a slow call.
    """
    calls = 1
    while True:
        seconds = device.time(ring.take(calls), calls).seconds
        if device.sample_seconds <= seconds * calls < sampling.warmup:
            seconds = min(seconds, device.time(ring.take(calls), calls).seconds)
        if seconds * calls >= device.sample_seconds or calls >= ring.most:
            return calls
        needed = math.ceil(device.sample_seconds / seconds) if seconds > 0 else MOST_CALLS
        calls = min(ring.most, GROWTH * calls, max(2 * calls, needed))


def warm_up(device: Device, ring: Ring, seconds: float) -> None:
    """Make calls for `seconds`, one at least, keeping the device busy without running far ahead of it."""
    began = device.now()
    calls = 1
    while True:
        batch_began = device.now()
        fn = ring.take(calls)
        for _ in range(calls):
            fn()
        device.synchronize()
        now = device.now()
        if now - began >= seconds:
            return
        if now - batch_began < WARM_BATCH_SECONDS / 2:
            calls = min(ring.most, 2 * calls)


def take_turn(
    device: Device,
    ring: Ring,
    calls: int,
    seconds: float,
    judge: Judge | None = None,
    slow: bool = False,
    settles: bool = False,
) -> Samples:
    """Samples of `calls` calls each for about `seconds`, at least one, after warming up again.

    Other processes had the machine since the last turn: samples that end within the first hundredth of a second
    are not kept, nor is the first one unless it alone takes the whole visit's time.

    `judge` has one more sample taken, the same as the others in everything a call can see, after it has given the set
    that its last call will use new contents; what that call gives is compared before the next call is made, which may
    write over it. Of `slow` calls, which alone take as long as a visit of a tenth of a second, the first sample is the
    one; it is kept by the same rules as any other.

    `settles`: the allocator keeps what is freed. As long as it still has to take fresh memory, which depends on where
    small blocks happen to lie, a call is warming up: two samples of a visit at most are not kept for that.
    """
    left = MOST_UNSETTLED if settles else 0
    taken: list[Timed] = []
    awaited = judge if slow else None
    if awaited is not None:
        awaited.expect(ring.last(calls))
    before = device.snapshot()
    began = device.now()
    first = True
    while True:
        sample = device.time(ring.take(calls, nudge=awaited is None), calls)
        elapsed = device.now() - began
        if awaited is not None:
            awaited.compare(sample.result)
            awaited, began = None, device.now() - elapsed
        # Results go at once: alive during the next sample, one would take a place in the cache, or in memory.
        sample = sample._replace(result=None)
        warming = elapsed < min(REWARM_SECONDS, seconds) or (first and elapsed < seconds)
        first = False
        if warming:
            continue
        if left and unsettled(sample, calls):
            left -= 1
            continue
        taken.append(sample)
        if elapsed >= seconds + min(REWARM_SECONDS, seconds):
            break
    telemetry = difference(before, device.snapshot()) if before else {}
    if judge is not None and not slow:
        judge.expect(ring.last(calls))
        judge.compare(device.time(ring.take(calls, nudge=False), calls).result)
    times = [one.seconds for one in taken]
    host_times = [one.host_seconds for one in taken if one.host_seconds is not None]
    faults = [one.faults / calls for one in taken if one.faults is not None]
    if device.asynchronous:
        telemetry["launch_bound"] = launch_bound(times, host_times)
    return Samples(
        tuple(times),
        tuple(host_times),
        telemetry,
        statistics.fmean(faults) if faults else None,
        calls=calls,
        clock="eager" if device.asynchronous else "",
    )


def unsettled(sample: Timed, calls: int) -> bool:
    """Whether more than a little of a sample's time went into fresh pages of memory."""
    return (sample.faults or 0) * FAULT_SECONDS > FAULT_SHARE * sample.seconds * calls


FRESH_TRIES, MAY_DIFFER = 15, 5
REMEMBERS = 1.5  # times as long with other data as with the same again
LEAST_SAVED, LONGEST_FRESH = 2e-6, 1e-3  # seconds a call


def remembering(device: Device, ring: Ring, calls: int, fastest: float) -> float | None:
    """How many times as long calls take on data that has just changed as on the same data again.

    A try changes all sets but one, calls that one to have everything else warm, and then the others; and once more with
    as much change in the one, none in the others. A single set is called after a change, and again after as long a
    wait. None unless nearly all tries of two series say so, which load by other programs does not bring about; for slow
    calls (`fastest`: seconds of one, as timed); and where sets are so many that none is used twice in a sample: each
    changes before it is used again.
    """
    sets = len(ring.calls)
    if fastest > LONGEST_FRESH or FEW < sets >= calls:
        return None
    ratios: list[float] = []
    for number in range(2 * FRESH_TRIES):
        fresh, again = around(device, ring, number) if sets > 1 else alone(device, ring)
        ratios.append(fresh / again if fresh - again > LEAST_SAVED else 1.0)
        if sum(ratio <= REMEMBERS for ratio in ratios) > MAY_DIFFER:
            return None
    return statistics.median(ratios)


def alone(device: Device, ring: Ring) -> tuple[float, float]:
    """Seconds of a call on changed data, and on the same data again."""
    (only,) = ring.calls
    began = device.now()
    ring.nudge(0)
    wait = device.now() - began
    fresh = device.time(only, 1).seconds
    ends = device.now() + wait
    while device.now() < ends:
        pass
    return fresh, device.time(only, 1).seconds


def around(device: Device, ring: Ring, number: int) -> tuple[float, float]:
    """Seconds of a call on changed data, and on the same data again: the mean over all sets but one."""
    sets = len(ring.calls)
    same, *others = [ring.calls[(number + index) % sets] for index in range(sets)]
    quiet, seconds = Ring(others), []
    for changed in (True, False):
        for index in range(1, sets):
            ring.nudge((number + (index if changed else 0)) % sets)
        device.time(same, sets)
        seconds.append(device.time(quiet.take(len(others), nudge=False), len(others)).seconds)
    return seconds[0], seconds[1]


def launch_bound(seconds: Sequence[float], host_seconds: Sequence[float]) -> bool:
    """Whether the host needed about as long to submit the calls as the device to run them.

    The device then waits for the host, and the figure says more about Python than about the kernel.
    """
    if not seconds or not host_seconds:
        return False
    return statistics.median(host_seconds) >= LAUNCH_BOUND * statistics.median(seconds)
