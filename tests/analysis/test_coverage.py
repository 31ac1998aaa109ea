"""How often the 95% interval holds the true median, by simulation with a fixed seed.

Processes differ by 3% and turns inside one by 2% (standard deviations), as on a small shared machine; one turn in
twenty may be 30% slower. The figures in `statistics.py` and `stopping.py` are these, with more trials and levels.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable
from statistics import NormalDist

import pytest

from tbench.analysis.statistics import interval, ratio
from tbench.analysis.stopping import decided, looks, precise, stopping_confidence

SLOWER = math.log(1.3)


def truth(between: float, within: float, outliers: float) -> float:
    """Median of the logarithm of a turn's time."""
    normal = NormalDist(0, math.hypot(between, within))
    low, high = -1.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        below = (1 - outliers) * normal.cdf(middle) + outliers * normal.cdf(middle - SLOWER)
        low, high = (middle, high) if below < 0.5 else (low, middle)
    return low


def one_round(chance: random.Random, between: float, within: float, outliers: float, turns: int) -> list[float]:
    process = chance.gauss(0, between)
    return [process + chance.gauss(0, within) + (SLOWER if chance.random() < outliers else 0.0) for _ in range(turns)]


@pytest.mark.parametrize("outliers", [0.0, 0.05])
@pytest.mark.parametrize("turns", [2, 4])
@pytest.mark.parametrize("rounds", [2, 3, 5, 10])
def test_coverage_at_a_fixed_number_of_rounds(rounds: int, turns: int, outliers: float) -> None:
    chance = random.Random(1)
    true = math.exp(truth(0.03, 0.02, outliers))
    trials = 1500
    held = 0
    for _ in range(trials):
        found = interval([one_round(chance, 0.03, 0.02, outliers, turns) for _ in range(rounds)])
        assert found.low is not None and found.high is not None
        held += found.low <= true <= found.high
    assert held / trials >= 0.945


Round = Callable[[random.Random], list[float]]


def noise(process: Callable[[random.Random], float], turn: Callable[[random.Random], float], turns: int = 4) -> Round:
    def one(chance: random.Random) -> list[float]:
        shared = process(chance)
        return [shared + turn(chance) for _ in range(turns)]

    return one


def student(chance: random.Random, scale: float) -> float:
    """Student's t with three degrees of freedom."""
    return scale * chance.gauss(0, 1) / math.sqrt(chance.gammavariate(1.5, 2) / 3)


def now_and_then(chance: random.Random, share: float, by: float) -> float:
    return by if chance.random() < share else 0.0


NOISES: dict[str, Round] = {
    "normal": noise(lambda c: c.gauss(0, 0.012), lambda c: c.gauss(0, 0.012)),
    "turns mostly": noise(lambda c: c.gauss(0, 0.003), lambda c: c.gauss(0, 0.025)),
    "heavy tails": noise(lambda c: student(c, 0.008), lambda c: c.gauss(0, 0.006)),
    "exponential": noise(lambda c: c.expovariate(80), lambda c: c.gauss(0, 0.005)),
    "outlying turns": noise(lambda c: c.gauss(0, 0.01), lambda c: c.gauss(0, 0.01) + now_and_then(c, 0.05, SLOWER)),
    "rounds hit": noise(
        lambda c: c.gauss(0, 0.007) + now_and_then(c, 0.15, c.expovariate(30)), lambda c: c.gauss(0, 0.007)
    ),
}
TARGET, LEAST, MOST = 0.02, 5, 12


def median_of(one: Round, seed: int) -> float:
    chance = random.Random(seed)
    return statistics.median(value for _ in range(25_000) for value in one(chance))


@pytest.mark.parametrize("kind", NOISES)
def test_coverage_of_rows_that_met_their_target(kind: str) -> None:
    """Noise at which about nine in ten rows meet ±2% in twelve rounds."""
    one, chance = NOISES[kind], random.Random(kind)
    true = math.exp(median_of(one, 9))
    met = held = 0
    for _ in range(1500):
        rounds: list[list[float]] = []
        for stop in looks(LEAST, MOST):
            rounds += [one(chance) for _ in range(stop - len(rounds))]
            if precise(rounds, TARGET, MOST):
                found = interval(rounds)
                assert found.low is not None and found.high is not None
                met += 1
                held += found.low <= true <= found.high
                break
    assert met >= 0.7 * 1500
    assert 0.93 <= held / met <= 0.99, f"{held / met:.3f} of {met}"


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("truth", [1.0, 1.05, 2.0])
def test_a_comparison_that_may_stop_when_it_stands_is_not_biased(truth: float, kind: str) -> None:
    one, chance = NOISES[kind], random.Random(f"{kind} {truth}")
    stops = looks(LEAST, MOST)
    trials = 500
    wrong = held = 0
    for _ in range(trials):
        base: list[list[float]] = []
        case: list[list[float]] = []
        stands = False
        for stop in stops:
            more = stop - len(base)
            base += [[value + math.log(truth) for value in one(chance)] for _ in range(more)]
            case += [one(chance) for _ in range(more)]
            stands = decided(base, case, TARGET, len(stops))
            if stands:
                break
        found = ratio(base, case)
        assert found.low is not None and found.high is not None
        held += found.low <= truth <= found.high
        wrong += stands and found.estimate < 1
    assert wrong / trials <= 0.025
    assert 0.93 <= held / trials <= 0.995


@pytest.mark.parametrize(
    ("least", "most", "asked"),
    [
        (5, 12, (5, 8, 12)),
        (10, 60, (10, 12, 18, 27, 40, 60)),
        (2, 2, (2,)),
        (3, 10, (3, 5, 8, 10)),
        (5, 100, (5, 8, 12, 18, 27, 40, 60, 91, 100)),
        (1, 1, (1,)),
    ],
)
def test_looks_grow_by_half_and_end_with_the_last_round(least: int, most: int, asked: tuple[int, ...]) -> None:
    assert looks(least, most) == asked


def test_early_looks_ask_for_more() -> None:
    levels = [stopping_confidence(rounds, MOST) for rounds in looks(LEAST, MOST)]
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] == pytest.approx(0.95)
    assert stopping_confidence(20, MOST) == pytest.approx(0.95)


def test_a_ratio_of_paired_turns_is_sure_where_both_drift_together() -> None:
    chance = random.Random(3)
    trials = 500
    held = 0
    widths = []
    for _ in range(trials):
        base, case = [], []
        for _ in range(4):
            drift = chance.gauss(0, 0.2)
            base.append([drift + chance.gauss(0, 0.01) + math.log(2) for _ in range(4)])
            case.append([drift + chance.gauss(0, 0.01) for _ in range(4)])
        found = ratio(base, case)
        assert found.low is not None and found.high is not None and found.relative_half_width is not None
        held += found.low <= 2 <= found.high
        widths.append(found.relative_half_width)
    assert held / trials >= 0.945
    assert sum(widths) / trials < 0.03
