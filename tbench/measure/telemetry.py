"""What a GPU tells about itself around a block of samples: snapshots, and what two of them say together."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from tbench.measure.nvml import FIGURES, THROTTLING, Refused, asked, find

# What is asked before and after each block of samples.
OF_A_BLOCK = (
    "sm_clock_mhz",
    "memory_clock_mhz",
    "clock_reasons",
    "power_watts",
    "power_instant_watts",
    "energy_joules",
    "power_capped_seconds",
    "thermally_capped_seconds",
    "temperature_c",
)
CAPPED = {"power_capped_seconds": "power limit", "thermally_capped_seconds": "temperature limit"}
CAPPED_SHARE = 0.01  # of a block, from which it counts as throttled


class Telemetry:
    """Asks one GPU, found by UUID: NVML counts all GPUs, CUDA only the visible ones, so an index may lie.

    `uuid` as CUDA gives it (with or without `GPU-`). Construction never fails; if the GPU cannot be reached,
    every figure has that reason.
    """

    def __init__(self, uuid: str) -> None:
        self.handle: Any = None
        self.mig = False
        self.refusal: str | None = None
        try:
            self.handle, self.mig = find(uuid)
        except Refused as refused:
            self.refusal = str(refused)

    def snapshot(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """Figures now (all, or those named), in the units of their names; `time` is `time.monotonic()`.

        `mig` true: the process runs in a slice of the GPU, but clocks, power and memory are the whole GPU's.
        """
        seen: dict[str, Any] = {"time": time.monotonic(), "unavailable": {}}
        if self.mig:
            seen["mig"] = True
        for name in FIGURES if names is None else names:
            try:
                seen[name] = self.ask(name)
            except Refused as refused:
                seen["unavailable"][name] = str(refused)
        return seen

    def ask(self, name: str) -> Any:
        """One figure; raises Refused with the reason."""
        if self.refusal is not None:
            raise Refused(self.refusal)
        return asked(lambda: FIGURES[name](self.handle))


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What two snapshots say about the block between them.

    Lowest and highest clocks, highest temperature and power, and what held the clocks back. Energy has a pass of its
    own (`measure.energy`): its counter is too coarse for a block.
    """
    refused = {**before["unavailable"], **after["unavailable"]}
    block: dict[str, Any] = {"unavailable": {name: reason for name, reason in refused.items() if name in OF_A_BLOCK}}
    if before.get("mig") or after.get("mig"):
        block["mig"] = True
    for name in ("sm_clock_mhz", "memory_clock_mhz"):
        values = [seen[name] for seen in (before, after) if name in seen]
        if values:
            block[f"{name}_min"], block[f"{name}_max"] = min(values), max(values)
    for name in ("temperature_c", "power_watts", "power_instant_watts"):
        values = [seen[name] for seen in (before, after) if name in seen]
        if values:
            block[name] = max(values)
    throttled = throttling(before, after)
    if throttled is not None:
        block["throttled"] = throttled
    return block


def throttling(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str] | None:
    """Why clocks were held back during the block; None where it cannot be told.

    By the counters of the time for which they were, if the driver has them: the reasons of the moment say what was so
    at either end, and at the first it may be the work of the process before.
    """
    counted = [name for name in CAPPED if name in before and name in after]
    if counted:
        least = CAPPED_SHARE * (after["time"] - before["time"])
        return [CAPPED[name] for name in counted if after[name] - before[name] > least]
    if "clock_reasons" not in before and "clock_reasons" not in after:
        return None
    reasons = [reason for seen in (before, after) for reason in seen.get("clock_reasons", ())]
    return sorted(set(reasons) & THROTTLING)
