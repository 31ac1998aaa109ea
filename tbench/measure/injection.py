"""Injects real work and real memory into a call, so that a search for regressions can be tested."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tbench.measure.ahead import timed
from tbench.measure.device import Device
from tbench.measure.timed import Call
from tbench.records import Injection

NUMBERS = 512  # of one operation: microseconds on one thread, a small step even beside short calls
BATCH = 64
TRIAL_SHARE = 0.3  # large enough to be measured well
TURNS, FEWEST_TURNS = 60, 10
BUDGET_SECONDS = 15.0


def injected(call: Call, injection: Injection, device: str) -> Callable[[], Any]:
    """`call` with the injected operations done and the injected bytes held at every call; gives what `call` gives."""
    work = small_operation(device)

    def worse() -> Any:
        held = torch.empty(injection.bytes, dtype=torch.uint8, device=device) if injection.bytes else None
        for _ in range(injection.repeats):
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


def repeats_for(device: Device, call: Call, calls: int, shares: Sequence[float]) -> list[int]:
    """How many of the operations make a call slower by each of these shares, at least one.

    From calls with a trial number of them beside calls without, timed in turns (`calls` at a time): what an
    operation costs between two calls is not what it costs in a row of its own.
    """
    work = small_operation(device.name)

    def row() -> None:
        for _ in range(BATCH):
            work()

    trial = max(1, round(TRIAL_SHARE * timed(device, call, calls) / (timed(device, row, 1) / BATCH)))
    worse = injected(call, Injection(repeats=trial), device.name)
    slower = []
    turns = max(FEWEST_TURNS, min(TURNS, round(BUDGET_SECONDS / (2 * calls * timed(device, call, calls)))))
    for turn in range(turns):
        pair = (worse, call) if turn % 2 else (call, worse)
        seconds = {each: timed(device, each, calls) for each in pair}
        slower.append(math.log(seconds[worse] / seconds[call]))
    if statistics.median(slower) <= 0:
        raise RuntimeError("injected work does not show up in the measured time: the machine is too noisy to calibrate")
    each = math.expm1(statistics.median(slower)) / trial
    return [max(1, round(share / each)) for share in shares]
