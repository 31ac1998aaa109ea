"""What two snapshots of a GPU say about the block of samples between them."""

from __future__ import annotations

from typing import Any

from tbench.measure.nvml import CLOCK_REASONS, FIGURES, THROTTLING
from tbench.measure.telemetry import OF_A_BLOCK, difference


def snapshot(time: float, **figures: Any) -> dict[str, Any]:
    return {"time": time, "unavailable": {}, **figures}


def test_a_block_has_the_worst_of_both_ends() -> None:
    block = difference(
        snapshot(0.0, sm_clock_mhz=1980, temperature_c=50, power_watts=100.0, clock_reasons=["idle"]),
        snapshot(
            1.0, sm_clock_mhz=1200, temperature_c=70, power_watts=90.0, clock_reasons=["software power cap", "idle"]
        ),
    )
    assert block == {
        "unavailable": {},
        "sm_clock_mhz_min": 1200,
        "sm_clock_mhz_max": 1980,
        "temperature_c": 70,
        "power_watts": 100.0,
        "throttled": ["software power cap"],
    }


def test_a_neighbours_power_cap_is_not_this_blocks() -> None:
    """The moment's reason is still the neighbour's; the counter of capped time has not moved."""
    capped = {"clock_reasons": ["software power cap"], "thermally_capped_seconds": 0.0}
    before = snapshot(0.0, power_capped_seconds=12.5, **capped)
    assert difference(before, snapshot(0.05, power_capped_seconds=12.5, **capped))["throttled"] == []
    assert difference(before, snapshot(0.05, power_capped_seconds=12.53, **capped))["throttled"] == ["power limit"]
    hot = {**capped, "thermally_capped_seconds": 0.04}
    assert difference(before, snapshot(0.05, power_capped_seconds=12.5, **hot))["throttled"] == ["temperature limit"]


def test_without_either_throttling_is_not_known() -> None:
    assert "throttled" not in difference(snapshot(0.0), snapshot(0.1))


def test_a_figure_refused_once_is_taken_from_the_other_end_and_the_reason_kept() -> None:
    before = {"time": 0.0, "unavailable": {"temperature_c": "busy", "process_bytes": "not of a block"}, "mig": True}
    block = difference(before, snapshot(1.0, temperature_c=60))
    assert block == {"unavailable": {"temperature_c": "busy"}, "mig": True, "temperature_c": 60}


def test_the_names_of_a_block_are_figures() -> None:
    assert set(OF_A_BLOCK) <= FIGURES.keys()
    assert set(CLOCK_REASONS.values()) >= THROTTLING
