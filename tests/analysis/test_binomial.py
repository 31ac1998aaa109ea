"""Rates with exact bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tbench.analysis.binomial import Rate, clopper_pearson, upper_bound


@given(st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))).filter(lambda pair: pair[1] > 0))
def test_bounds_are_the_exact_binomial_ones(pair: tuple[int, int]) -> None:
    hits, trials = pair
    expected = stats.binomtest(hits, trials).proportion_ci(method="exact")
    assert clopper_pearson(hits, trials) == (
        pytest.approx(expected.low, abs=1e-9),
        pytest.approx(expected.high, abs=1e-9),
    )


@pytest.mark.parametrize(("trials", "bound"), [(60, 0.05), (300, 0.01)])
def test_no_alarm_in_so_many_runs_bounds_the_rate(trials: int, bound: float) -> None:
    assert bound * 0.9 < upper_bound(0, trials) < bound


def test_bounds_are_there_for_any_number_of_trials() -> None:
    assert clopper_pearson(40, 5000) == pytest.approx(
        (stats.beta.ppf(0.025, 40, 4961), stats.beta.ppf(0.975, 41, 4960)), rel=1e-6
    )


def test_without_trials_nothing_is_known() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    assert Rate(0, 0).share is None
