"""Makes a call slower or bigger by real work and real memory, so that what looks for regressions can be tried."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tbench.measure.device import Call, Device
from tbench.records import Handicap

NUMBERS = 512  # of one operation: microseconds on one thread, a small step even beside short calls
BATCH = 64
TRIAL_SHARE = 0.3  # large enough to be measured well
VISITS, FEWEST_VISITS = 60, 10
BUDGET_SECONDS = 15.0


def burdened(call: Call, handicap: Handicap, device: str) -> Callable[[], Any]:
    """`call` with the handicap's operations done and its bytes held at every call; gives what `call` gives."""
    work = small_operation(device)

    def worse() -> Any:
        held = torch.empty(handicap.bytes, dtype=torch.uint8, device=device) if handicap.bytes else None
        for _ in range(handicap.repeats):
            work()
        result = call()
        del held
        return result

    return worse


def small_operation(device: str) -> Call:
    """Sines in place: work that allocates nothing, not even inside. A block taken and given back between two calls can
    change how the allocator serves the calls themselves, by more than the work that was to be added."""
    numbers = torch.rand(NUMBERS, generator=torch.Generator().manual_seed(1)).to(device)
    return numbers.sin_


def repeats(device: Device, call: Call, calls: int, shares: Sequence[float]) -> list[int]:
    """How many of the operations make a call slower by each of these shares, at least one.

    Told from calls with a trial number of them beside calls without, timed in turns (`calls` at a time): what an
    operation costs between two calls is not what it costs in a row of its own.
    """
    work = small_operation(device.name)

    def row() -> None:
        for _ in range(BATCH):
            work()

    trial = max(1, round(TRIAL_SHARE * device.time(call, calls).seconds / (device.time(row, 1).seconds / BATCH)))
    worse = burdened(call, Handicap(repeats=trial), device.name)
    slower = []
    visits = max(FEWEST_VISITS, min(VISITS, round(BUDGET_SECONDS / (2 * calls * device.time(call, calls).seconds))))
    for visit in range(visits):
        pair = (worse, call) if visit % 2 else (call, worse)
        seconds = {each: device.time(each, calls).seconds for each in pair}
        slower.append(math.log(seconds[worse] / seconds[call]))
    if statistics.median(slower) <= 0:
        raise RuntimeError("work beside the call does not show in its time: the machine is too unsteady to calibrate")
    each = math.expm1(statistics.median(slower)) / trial
    return [max(1, round(share / each)) for share in shares]
