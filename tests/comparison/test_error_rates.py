"""How often a comparison is right, by simulation with fixed seeds.

Processes differ by 3% and turns inside one by 2%; one turn in twenty may be 30% slower (as in
`tests/analysis/test_coverage.py`).
"""

from __future__ import annotations

import math
import random

import pytest

from tbench.comparison.compare import ALPHA, TOLERANCE, evidence_of
from tbench.comparison.ratio import Ratio, between, interval, rounds_needed, smallest_change
from tests.analysis.test_coverage import one_round, truth

CASES = 6
COMPARISONS = 1000


def side(
    chance: random.Random, rounds: int, outliers: float = 0.05, noise: float = 1.0, by: float = 0.0
) -> list[list[float]]:
    drawn = (one_round(chance, 0.03 * noise, 0.02 * noise, outliers, turns=4) for _ in range(rounds))
    return [[value + by for value in turns] for turns in drawn]


@pytest.mark.parametrize("outliers", [0.0, 0.05])
@pytest.mark.parametrize(("old", "new", "noise"), [(3, 3, 1.0), (5, 5, 1.0), (4, 10, 1.0), (10, 10, 2.0), (5, 8, 0.5)])
def test_the_interval_holds_the_true_ratio(old: int, new: int, noise: float, outliers: float) -> None:
    chance = random.Random(7)
    true = math.exp(0.1 + truth(0.03 * noise, 0.02 * noise, outliers) - truth(0.03, 0.02, outliers))
    trials = 1500
    held = 0
    for _ in range(trials):
        found = interval(between(side(chance, old, outliers), side(chance, new, outliers, noise, by=0.1)))
        assert found.low is not None and found.high is not None
        held += found.low <= true <= found.high
    assert 0.93 <= held / trials <= 0.99


def verdicts(chance: random.Random, rounds: int, by: float) -> tuple[bool, bool]:
    """Whether a comparison of cases that all changed by `by` calls any SLOWER, any FASTER."""
    ratios = {str(i): between(side(chance, rounds), side(chance, rounds, by=by)) for i in range(CASES)}
    found = evidence_of(ratios, TOLERANCE, ALPHA).values()
    return any(one.slower for one in found), any(one.faster for one in found)


@pytest.mark.parametrize("rounds", [3, 8])
def test_no_change_is_hardly_ever_called_one(rounds: int) -> None:
    chance = random.Random(rounds)
    found = [verdicts(chance, rounds, 0.0) for _ in range(COMPARISONS)]
    assert sum(slower for slower, _ in found) <= ALPHA * COMPARISONS
    assert sum(faster for _, faster in found) <= ALPHA * COMPARISONS


@pytest.mark.parametrize("way", [1, -1])
def test_a_change_of_just_the_tolerance_is_hardly_ever_called_more(way: int) -> None:
    """The hardest case there is: every case sits on the edge."""
    chance = random.Random(20 + way)
    found = [verdicts(chance, 5, way * math.log1p(TOLERANCE)) for _ in range(COMPARISONS)]
    assert sum(slower or faster for slower, faster in found) <= ALPHA * COMPARISONS


def shown(chance: random.Random, rounds: int, by: float) -> bool:
    ratio = between(side(chance, rounds, 0.0), side(chance, rounds, 0.0, by=by))
    return evidence_of({"one": ratio}, TOLERANCE, ALPHA)["one"].slower


def typical(rounds: int) -> Ratio:
    """Two sides whose rounds spread as the simulated ones do, √(3² + 1.25² · 2²/4)%."""
    spread = math.hypot(0.03, 0.0125)
    scale = spread * math.sqrt((rounds - 1) / rounds)
    values = [[scale], [-scale]] * (rounds // 2)
    return between(values, values)


def test_the_smallest_change_and_the_rounds_needed_are_what_they_say() -> None:
    chance = random.Random(5)
    smallest = math.log1p(smallest_change(typical(6), TOLERANCE, ALPHA))
    assert sum(shown(chance, 6, smallest) for _ in range(400)) >= 0.85 * 400
    needed = rounds_needed(typical(6), TOLERANCE, ALPHA)
    assert needed is not None and 10 < needed < 40
    assert sum(shown(chance, needed, math.log1p(2 * TOLERANCE)) for _ in range(200)) >= 0.85 * 200
    assert sum(shown(chance, needed // 3, math.log1p(2 * TOLERANCE)) for _ in range(200)) < 0.7 * 200
