"""Drift between rounds is told where there is some, and hardly ever where rounds are independent."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from tbench.analysis.drift import drift

KINDS: dict[str, Callable[[random.Random], float]] = {
    "normal": lambda chance: chance.gauss(0, 0.05),
    "exponential": lambda chance: chance.expovariate(20),
    "heavy tails": lambda chance: 0.03 * chance.gauss(0, 1) / math.sqrt(chance.gammavariate(1.5, 2) / 3),
}


@pytest.mark.parametrize("rounds", [5, 8, 12, 18])
@pytest.mark.parametrize("kind", KINDS)
def test_independent_rounds_do_not_drift(kind: str, rounds: int) -> None:
    chance = random.Random(f"{kind} {rounds}")
    alarms = sum(drift([KINDS[kind](chance) for _ in range(rounds)]) is not None for _ in range(1000))
    assert alarms <= 30


def test_a_machine_that_gets_slower_is_seen() -> None:
    chance = random.Random(1)
    found = [drift([0.01 * number + chance.gauss(0, 0.01) for number in range(12)]) for _ in range(100)]
    told = [one for one in found if one]
    assert len(told) >= 95
    assert {one.kind for one in told} == {"wander"}
    assert all(0.05 < one.by < 0.2 for one in told)


@pytest.mark.parametrize("by", [-0.1, 0.1])
def test_a_first_round_apart_is_seen(by: float) -> None:
    found = drift([by, 0.001, -0.002, 0.003, 0.0, -0.001])
    assert found is not None and found.kind == "first"
    assert found.by == pytest.approx(math.expm1(by), rel=0.02)


@pytest.mark.parametrize("medians", [[], [0.0], [0.5, 0.0, 0.0], [0.0] * 12, [0.001 * n for n in range(12)]])
def test_too_little_to_tell_or_to_matter(medians: list[float]) -> None:
    assert drift(medians) is None
