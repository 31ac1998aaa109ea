"""Two groups of samples are seen, one is left alone."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.analysis.modes import two_groups_of_processes, two_modes

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


def processes(
    chance: random.Random, place: Callable[[], float], rounds: int = 12, within: float = 0.01
) -> list[list[float]]:
    """Logarithms of four turns of each process, which scatter by `within` around `place()`."""
    return [[process + chance.gauss(0, within) for _ in range(4)] for process in (place() for _ in range(rounds))]


@pytest.mark.parametrize("rounds", [8, 12])
@pytest.mark.parametrize(
    "kind", ["normal 5%, turns 2%", "normal 3%, turns 1%", "exponential 5%", "t3 3%", "hit rounds"]
)
def test_processes_of_one_group_are_rarely_split(kind: str, rounds: int) -> None:
    chance = random.Random(f"{kind} {rounds}")

    def t3() -> float:
        return chance.gauss(0, 1) / math.sqrt(chance.gammavariate(1.5, 2) / 3)

    place: Callable[[], float] = {
        "normal 5%, turns 2%": lambda: chance.gauss(0, 0.05),
        "normal 3%, turns 1%": lambda: chance.gauss(0, 0.03),
        "exponential 5%": lambda: chance.expovariate(20),
        "t3 3%": lambda: 0.03 * t3(),
        "hit rounds": lambda: chance.gauss(0, 0.01) + (chance.expovariate(7) if chance.random() < 0.15 else 0),
    }[kind]
    within = 0.02 if kind.startswith("normal 5%") else 0.01
    alarms = sum(two_groups_of_processes(processes(chance, place, rounds, within)) is not None for _ in range(500))
    assert alarms <= 17  # 2%, and chance


@pytest.mark.parametrize(
    ("share", "rounds", "found"), [(0.5, 8, 0.83), (0.5, 12, 0.9), (0.3, 8, 0.63), (0.3, 12, 0.66)]
)
def test_processes_of_which_some_are_slower_are_seen(share: float, rounds: int, found: float) -> None:
    chance = random.Random(8)

    def place() -> float:
        return chance.gauss(0, 0.005) + (math.log(1.1) if chance.random() < share else 0)

    seen = [two_groups_of_processes(processes(chance, place, rounds)) for _ in range(400)]
    told = [one for one in seen if one]
    assert len(told) >= found * 400
    assert all(1.07 < one.high / one.low < 1.13 for one in told)


def test_one_slow_turn_does_not_make_a_slow_process() -> None:
    rounds = [[0.0, 0.3] if number % 3 == 0 else [0.0, 0.001] for number in range(12)]
    assert two_groups_of_processes(rounds) is None


def test_few_processes_or_single_turns_do_not_tell() -> None:
    assert two_groups_of_processes([[0.0, 0.001], [0.1, 0.101]] * 3) is None
    assert two_groups_of_processes([[0.0], [0.1]] * 6) is None
    assert two_groups_of_processes([[0.0, 0.001], [0.1, 0.101]] * 4) is not None
