"""Growth and unpaired comparisons: exact where there is no noise, and covering the truth where there is."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tbench.claims.slopes import contrast, exact_slope, overtakes, slope, unpaired_ratio

SIZES = (512, 1024, 2048, 4096)


@given(st.floats(-1, 3), st.floats(-5, 5))
def test_a_power_law_has_its_exponent_as_slope(exponent: float, start: float) -> None:
    found = slope(SIZES, [[start + exponent * math.log(size)] * 3 for size in SIZES])
    assert found.value == pytest.approx(exponent, abs=1e-9)
    assert found.low == pytest.approx(found.high, abs=1e-9)


def test_bytes_are_counted_not_sampled() -> None:
    found = exact_slope(SIZES, [64 + size**2 for size in SIZES])
    assert found.unit == "exact"
    assert 1.99 < found.value < 2.0


def test_one_size_has_no_slope() -> None:
    with pytest.raises(ValueError, match="two different sizes"):
        slope((512, 512), [[0.0], [0.1]])


def test_one_round_has_no_interval() -> None:
    found = slope(SIZES, [[math.log(size)] for size in SIZES])
    assert found.low is found.high is None


THOUSANDTHS = st.lists(st.integers(-1000, 1000).map(lambda n: n / 1000), min_size=2, max_size=8)


@pytest.mark.filterwarnings("ignore:Precision loss")  # scipy, on values that are nearly equal
@given(THOUSANDTHS, THOUSANDTHS)
def test_two_samples_are_welchs_test_with_degrees_of_freedom_rounded_down(one: list[float], other: list[float]) -> None:
    value, half, least = contrast((1.0, -1.0), (one, other))
    assert least == min(len(one), len(other))
    if len(set(one)) > 1 or len(set(other)) > 1:
        assert half is not None
        welch = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
        assert value == pytest.approx((welch.low + welch.high) / 2, abs=1e-9)
        assert half >= (welch.high - welch.low) / 2 * (1 - 1e-9)


def test_the_interval_covers_the_true_slope() -> None:
    chance = random.Random(3)
    inside = 0
    for _ in range(1000):
        rounds = [[2 * math.log(size) + chance.gauss(0, 0.03) for _ in range(4)] for size in SIZES]
        found = slope(SIZES, rounds)
        assert found.low is not None and found.high is not None
        inside += found.low <= 2 <= found.high
    assert inside >= 930, f"{inside / 10:.1f}% of intervals hold the true slope"


@given(st.floats(1e-9, 1e-3), st.floats(30, 60_000))
def test_the_square_overtakes_where_the_two_terms_are_equal(a: float, at: float) -> None:
    times = [a * size + a / at * size**2 for size in SIZES]
    assert overtakes(SIZES, times) == pytest.approx(at, rel=1e-4)


def test_a_pure_line_is_never_overtaken_and_a_pure_square_from_the_start() -> None:
    assert overtakes(SIZES, [1e-6 * size for size in SIZES]) > 1e6 * max(SIZES)
    assert overtakes(SIZES, [1e-9 * size**2 for size in SIZES]) < 1e-6
    assert overtakes(SIZES, [1e-9 * size**3 for size in SIZES]) == 0
    assert overtakes(SIZES, [1e-3 * math.sqrt(size) for size in SIZES]) == math.inf


def test_a_fit_weighs_relative_errors() -> None:
    """10% off at the shortest length moves it as much as 10% at the longest."""
    exact = [1e-6 * size + 1e-9 * size**2 for size in SIZES]
    moved = [overtakes(SIZES, [t * (1.1 if index == at else 1) for index, t in enumerate(exact)]) for at in (0, 2)]
    assert max(abs(math.log(one / 1000)) for one in moved) < 3 * min(abs(math.log(one / 1000)) for one in moved)


@pytest.mark.parametrize(("sizes", "times"), [((512, 512), (1.0, 2.0)), ((512, 1024), (0.0, 1.0))])
def test_what_has_no_fit(sizes: tuple[int, int], times: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="two different sizes, and positive times"):
        overtakes(sizes, times)


def test_a_ratio_without_turns_is_the_quotient() -> None:
    found = unpaired_ratio([math.log(6.0), math.log(6.0)], [math.log(2.0), math.log(2.0)])
    assert found.value == pytest.approx(3)
