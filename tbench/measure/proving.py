"""What a proof notes of a workload on a GPU beside its result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tbench.components.workload import Workload
from tbench.errors import Unsupported
from tbench.measure.ahead import settle
from tbench.measure.cuda import CudaDevice
from tbench.measure.replay import captured
from tbench.measure.sampler import Ring

MOST_TOLD = 20  # device kernels of a call
MOST_LETTERS = 120  # of a kernel's name: templates fill pages


def seen(device: CudaDevice, workload: Workload) -> dict[str, Any]:
    """`kernels`, `queued` and `captured`, as in `proof.evidence.Proof`. Capture comes last: one that fails can leave a
    process that cannot go on."""
    ring = Ring(workload.calls, workload.nudge)
    return {
        "kernels": kernels(device, workload),
        "queued": settle(device, ring, 1).why_not,
        "captured": why_not_captured(device, workload),
    }


def kernels(device: CudaDevice, workload: Workload) -> tuple[str, ...]:
    """Names of the device functions that one call runs, in the order of their first run."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as recorded:
        workload.calls[0]()
        device.synchronize()
    return named(recorded.events() or ())


def named(events: Iterable[Any]) -> tuple[str, ...]:
    """Of a profiler's events those on the device, without the runtime's calls on the host."""
    found = (event.name[:MOST_LETTERS] for event in events if not str(event.device_type).endswith("CPU"))
    return tuple(dict.fromkeys(found))[:MOST_TOLD]


def why_not_captured(device: CudaDevice, workload: Workload) -> str:
    try:
        captured(device, workload, len(workload.calls)).graph.reset()
    except Unsupported as refused:
        return str(refused)
    return ""
