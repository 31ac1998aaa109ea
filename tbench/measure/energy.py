"""What a call takes of a GPU's energy, in a separate pass: the counter is far too coarse for a turn."""

from __future__ import annotations

import math

from tbench.measure.device import Device
from tbench.measure.sampler import Ring
from tbench.records import Energy

SECONDS = 2.0  # the counter moves in steps of 20 to 100 ms, which are then 5% at most
BATCH_SECONDS = 20e-3  # between two looks at it
COUNTER = "energy_joules"
NO_STEP = "the energy counter did not move in two seconds"
OF_THE_WHOLE_GPU = "the energy counter is the whole GPU's, and this is a slice of it (MIG)"


def measured(device: Device, ring: Ring, fastest: float, layers: int = 1) -> Energy | None:
    """Joules of a call (of one of its `layers`) and mean power, over calls without a pause for two seconds.

    `fastest`: seconds of a call, all its layers. What the GPU takes while it waits for a slow host is part of it. None
    on a device that has no such counter by nature.
    """
    before = device.snapshot()
    if not before:
        return None
    if before.get("mig"):
        return Energy(unavailable=OF_THE_WHOLE_GPU)
    if COUNTER not in before:
        return Energy(unavailable=before["unavailable"][COUNTER])
    batch = min(ring.most, max(1, math.ceil(BATCH_SECONDS / fastest)))
    made = 0
    while True:
        fn = ring.take(batch, nudge=False)  # a change of inputs takes energy, too
        for _ in range(batch):
            fn()
        device.synchronize()
        made += batch
        after = device.snapshot()
        if COUNTER not in after:
            return Energy(unavailable=after["unavailable"][COUNTER])
        seconds = after["time"] - before["time"]
        if seconds >= SECONDS:
            joules = after[COUNTER] - before[COUNTER]
            return Energy(joules / made / layers, joules / seconds) if joules > 0 else Energy(unavailable=NO_STEP)
