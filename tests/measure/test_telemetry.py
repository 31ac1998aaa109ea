"""What two snapshots of a GPU say about the block of samples between them."""

from __future__ import annotations

from typing import Any

from tbench.measure.nvml import CLOCK_REASONS, FIGURES, THROTTLING
from tbench.measure.telemetry import ENERGY_SECONDS, OF_A_BLOCK, difference


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


def test_energy_needs_a_long_block() -> None:
    before = snapshot(0.0, energy_joules=1000.0)
    assert difference(before, snapshot(ENERGY_SECONDS, energy_joules=1700.0))["energy_joules"] == 700.0
    short = difference(before, snapshot(0.05, energy_joules=1700.0))
    assert "energy_joules" not in short
    assert short["unavailable"]["energy_joules"] == "the block lasted 0.05 s; the counter needs 2 s"


def test_a_figure_refused_once_is_taken_from_the_other_end_and_the_reason_kept() -> None:
    before = {"time": 0.0, "unavailable": {"temperature_c": "busy", "process_bytes": "not of a block"}, "mig": True}
    block = difference(before, snapshot(1.0, temperature_c=60))
    assert block == {"unavailable": {"temperature_c": "busy"}, "mig": True, "temperature_c": 60}


def test_the_names_of_a_block_are_figures() -> None:
    assert set(OF_A_BLOCK) <= FIGURES.keys()
    assert set(CLOCK_REASONS.values()) >= THROTTLING
