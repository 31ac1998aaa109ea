"""Two groups of samples are seen, one is left alone."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.analysis.modes import two_modes

ONE_GROUP: dict[str, Callable[[random.Random], float]] = {
    "normal": lambda chance: math.exp(chance.gauss(0, 0.05)),
    "uniform": lambda chance: 1 + chance.random(),
    "exponential tail": lambda chance: math.exp(chance.expovariate(10)),
    "rare outliers": lambda chance: math.exp(chance.gauss(0, 0.02) + (0.5 if chance.random() < 0.03 else 0)),
}


@pytest.mark.parametrize("shape", ONE_GROUP)
def test_one_group_is_not_split(shape: str) -> None:
    chance = random.Random(4)
    alarms = sum(two_modes([ONE_GROUP[shape](chance) for _ in range(60)]) is not None for _ in range(200))
    assert alarms <= 6


@pytest.mark.parametrize(("share", "apart"), [(0.5, 1.3), (0.2, 1.3), (0.85, 2.0)])
def test_two_groups_are_described(share: float, apart: float) -> None:
    chance = random.Random(5)
    samples = [0.01 * (apart if i < share * 100 else 1) * math.exp(chance.gauss(0, 0.02)) for i in range(100)]
    found = two_modes(samples)
    assert found is not None
    assert found.high_share == pytest.approx(share)
    assert found.low_share == pytest.approx(1 - share)
    assert found.high / found.low == pytest.approx(apart, rel=0.02)


def test_groups_that_are_close_or_few_are_not_worth_a_note() -> None:
    chance = random.Random(6)
    assert two_modes([(1.03 if i % 2 else 1) * math.exp(chance.gauss(0, 0.001)) for i in range(100)]) is None
    assert two_modes([2.0 if i % 2 else 1.0 for i in range(19)]) is None
    assert two_modes([1.0] * 100) is None


@given(st.lists(st.floats(1e-7, 1e3), min_size=0, max_size=80), st.sampled_from([1e-3, 1.0, 1e3]))
def test_any_positive_samples_are_taken(samples: list[float], unit: float) -> None:
    found = two_modes([sample * unit for sample in samples])
    if found is not None:
        assert found.low < found.high
        assert found.low_share + found.high_share == pytest.approx(1)
        assert min(found.low_share, found.high_share) >= 0.1
