"""Weighs one call of a workload, in a pass of its own that is never timed."""

from __future__ import annotations

from tbench.components.workload import Workload
from tbench.measure.device import Device
from tbench.records import Memory


def peak(device: Device, workload: Workload) -> Memory:
    """Bytes at the peak of one call: what the workload holds anyway, and what the call adds at its worst moment.

    The output counts, the oracle's and other passes' memory does not. Raises what the call raises.
    """
    device.synchronize()
    with device.watch_memory() as watch:
        workload.calls[0]()
    resident, transient = workload.resident_bytes, watch.transient_bytes
    return Memory(
        peak_bytes=None if transient is None else resident + transient,
        resident_bytes=resident,
        reserved_bytes=watch.reserved_bytes,
        process_peak_bytes=watch.process_peak_bytes,
        device_used_bytes=watch.device_used_bytes,
        unavailable=watch.unavailable,
    )
