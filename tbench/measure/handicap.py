"""Makes a call slower or bigger by real work and real memory, so that what looks for regressions can be tried."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import torch

from tbench.measure.device import Call, Device
from tbench.records import Handicap

NUMBERS = 256  # sorted by one operation: microseconds on one thread, a small step even beside short calls
BATCH = 64
VISITS = 7


def burdened(call: Call, handicap: Handicap, device: str) -> Callable[[], Any]:
    """`call` with the handicap's operations done and its bytes held at every call; gives what `call` gives."""
    numbers = torch.rand(NUMBERS, generator=torch.Generator().manual_seed(1)).to(device)

    def worse() -> Any:
        held = torch.empty(handicap.bytes, dtype=torch.uint8, device=device) if handicap.bytes else None
        for _ in range(handicap.repeats):
            torch.sort(numbers)
        result = call()
        del held
        return result

    return worse


def repeats(device: Device, call: Call, calls: int, share: float) -> int:
    """How many of the operations take `share` of a call's time, at least one. Both are timed in turns, `call` in
    batches of `calls`."""
    numbers = torch.rand(NUMBERS, generator=torch.Generator().manual_seed(1)).to(device.name)

    def batch() -> None:
        for _ in range(BATCH):
            torch.sort(numbers)

    whole, part = [], []
    for _ in range(VISITS):
        whole.append(device.time(call, calls)[0])
        part.append(device.time(batch, 1)[0] / BATCH)
    return max(1, round(share * statistics.median(whole) / statistics.median(part)))
