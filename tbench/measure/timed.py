"""One sample of a device's clock, and what every clock needs to take it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tbench.components.workload import Call as Call

# Work that goes on for longer than this after a sample's end belongs to the sample. On CUDA, waiting for an idle device
# takes a few microseconds and is measured beside it; this is what its jitter is allowed.
STRAY_SECONDS = 10e-6


class Timed(NamedTuple):
    """One sample: seconds per call; the host's share of them where it only submits the work; minor page faults of all
    calls together, on a CPU; and what the last call gave.

    On CUDA also: `ahead`, whether everything had been submitted before the device began (proof that the host is not in
    `seconds`); `stray`, seconds that work on other streams went on after the end (they are in `seconds`); `sm_mhz`, the
    clock just before the sample.
    """

    seconds: float
    host_seconds: float | None
    faults: int | None
    result: Any
    ahead: bool = False
    stray: float = 0.0
    sm_mhz: float | None = None


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep Python's collector out of a sample: it would fall into some and not into others."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
