"""Energy of a call, on a scripted device whose counter moves in steps."""

from __future__ import annotations

from typing import Any

import pytest

from tbench.measure.energy import BATCH_SECONDS, NO_STEP, OF_THE_WHOLE_GPU, SECONDS, measured
from tbench.measure.sampler import Ring
from tests.measure.fakes import ScriptedDevice

WATTS = 400.0
STEP = 0.1


class Metered(ScriptedDevice):
    """Takes 400 W; the counter moves every tenth of a second. `more`: what else a snapshot has."""

    def __init__(self, watts: float = WATTS, **more: Any) -> None:
        super().__init__(asynchronous=True)
        self.watts, self.more = watts, more

    def snapshot(self) -> dict[str, Any]:
        steps = self.clock // STEP
        return {"time": self.clock, "unavailable": {}, "energy_joules": self.watts * STEP * steps, **self.more}


@pytest.mark.parametrize("seconds", [10e-6, 1e-3, 0.7])
def test_a_calls_energy_is_its_time_by_the_power(seconds: float) -> None:
    device = Metered()
    found = measured(device, Ring([device.spend(seconds)]), seconds)
    assert found is not None
    assert found.joules == pytest.approx(WATTS * seconds, rel=0.06)
    assert found.watts == pytest.approx(WATTS, rel=0.06)
    assert device.clock == pytest.approx(SECONDS, rel=0.5)


def test_of_a_stack_it_is_one_layers() -> None:
    device = Metered()
    found = measured(device, Ring([device.spend(4e-3)]), 4e-3, layers=4)
    assert device.clock < SECONDS + 2 * BATCH_SECONDS
    assert found is not None
    assert found.joules == pytest.approx(WATTS * 1e-3, rel=0.06)


class Silent(Metered):
    def snapshot(self) -> dict[str, Any]:
        return {"time": self.clock, "unavailable": {"energy_joules": "NoPermission"}}


@pytest.mark.parametrize(
    ("device", "why"),
    [(Metered(mig=True), OF_THE_WHOLE_GPU), (Metered(watts=0.0), NO_STEP), (Silent(), "NoPermission")],
)
def test_where_it_cannot_be_had_there_is_a_reason(device: Metered, why: str) -> None:
    found = measured(device, Ring([device.spend(0.1)]), 0.1)
    assert found is not None
    assert (found.joules, found.watts, found.unavailable) == (None, None, why)


def test_a_cpu_has_none() -> None:
    device = ScriptedDevice()
    assert measured(device, Ring([device.spend(0.1)]), 0.1) is None
    assert device.clock == 0.0
