"""The signed-rank test against scipy's, its bounds against the test, Holm and the sizes against their meaning."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tbench.analysis.signed_rank import (
    centre,
    detectable,
    lower,
    p_above,
    p_below,
    pairs_needed,
    tail,
    upper,
    walsh,
)

values = st.lists(st.floats(-1, 1).filter(lambda x: abs(x) > 1e-6), min_size=1, max_size=12, unique_by=abs)


@given(values)
def test_the_p_value_is_scipys_exact_one(found: list[float]) -> None:
    expected = stats.wilcoxon(found, alternative="greater", method="exact").pvalue
    assert p_above(found, 0.0) == pytest.approx(expected)
    assert p_below([-x for x in found], 0.0) == pytest.approx(expected)


@pytest.mark.parametrize("n", range(1, 10))
def test_the_distribution_sums_to_one_and_ends_in_the_smallest_p(n: int) -> None:
    ways = tail(n)
    assert ways[0] == 1
    assert ways[-1] == 2**-n
    assert all(a >= b for a, b in itertools.pairwise(ways))


@given(values, st.sampled_from([0.8, 0.95, 0.975]))
def test_what_lies_past_a_bound_is_refused_by_the_test_and_the_bound_is_not(
    found: list[float], confidence: float
) -> None:
    end = upper(found, confidence)
    if math.isinf(end):
        assert 2 ** -len(found) > 1 - confidence
        return
    assert p_below(found, end + 1e-9) <= 1 - confidence
    assert p_below(found, end) > 1 - confidence
    assert lower([-x for x in found], confidence) == -end


@given(values, st.floats(-0.5, 0.5))
def test_a_shift_shifts_and_a_mirror_mirrors(found: list[float], shift: float) -> None:
    assert centre([x + shift for x in found]) == pytest.approx(centre(found) + shift)
    assert centre([-x for x in found]) == pytest.approx(-centre(found))
    assert len(walsh(found)) == len(found) * (len(found) + 1) // 2


def test_one_wild_value_moves_the_centre_little() -> None:
    steady = [0.01 * k for k in range(-5, 6)]
    assert abs(centre([*steady, 5.0])) < 0.02


def test_without_values_nothing_is_shown() -> None:
    assert p_above([], 0.0) == 1
    assert upper([]) == math.inf
    with pytest.raises(ValueError):
        centre([])


@pytest.mark.parametrize("spread", [0.02, 0.05])
def test_so_many_pairs_show_the_gap_as_often_as_they_say(spread: float) -> None:
    gap, alpha, power = 0.045, 0.01, 0.9
    n = max(8, pairs_needed(spread, gap, alpha, power))
    chance = random.Random(5)
    shown = sum(p_above([chance.gauss(gap, spread) for _ in range(n)], 0.0) <= alpha for _ in range(800))
    assert shown / 800 > power - 0.06
    assert detectable(spread, pairs_needed(spread, gap, alpha, power), alpha, power) <= gap * 1.0001
