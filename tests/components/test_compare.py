"""How far a result is from what it should be: row by row, so that no row is lost among the others."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tbench.components.compare import LIMITS, row_error
from tbench.components.workload import Check

numbers = st.lists(st.lists(st.floats(-10, 10), min_size=3, max_size=3), min_size=1, max_size=6)


@given(numbers)
def test_no_difference_is_no_error(rows: list[list[float]]) -> None:
    x = torch.tensor(rows, dtype=torch.float64)
    assert row_error(x, x, 0.1) == 0


@given(numbers, st.floats(0.001, 0.5))
def test_the_error_of_rows_that_are_all_too_large(rows: list[list[float]], by: float) -> None:
    x = torch.tensor(rows, dtype=torch.float64)
    x[:, 0] += 20  # no row is small
    assert row_error(x * (1 + by), x, 0.0) == pytest.approx(by)


def test_one_row_among_many_is_not_lost_in_the_norm_of_all() -> None:
    x = torch.randn(10_000, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    wrong = x.clone()
    wrong[77] *= 1.01
    assert row_error(wrong, x, 0.1) == pytest.approx(0.01)
    assert float((wrong - x).norm() / x.norm()) < LIMITS["float32"] * 2


def test_a_small_row_is_compared_with_the_usual_one() -> None:
    x = torch.ones(1000, 4, dtype=torch.float64)
    x[0] = 1e-9
    wrong = x.clone()
    wrong[0] = 2e-9
    assert row_error(wrong, x, 0.0) == pytest.approx(1)
    assert row_error(wrong, x, 1.0) == pytest.approx(1e-9, rel=0.01)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_not_a_number(bad: float) -> None:
    x = torch.ones(3, 4)
    wrong = x.clone()
    wrong[1, 2] = bad
    assert math.isnan(row_error(wrong, x, 0.1))
    assert not Check(row_error(wrong, x, 0.1), 1.0).passed


def test_another_shape_is_not_a_number_and_zeros_are_equal() -> None:
    assert math.isnan(row_error(torch.ones(2, 4), torch.ones(3, 4), 0.1))
    nothing = torch.zeros(3, 4, dtype=torch.float64)
    assert row_error(nothing, nothing, 0.1) == 0


def test_a_floor_keeps_rounding_of_a_zero_from_counting_as_an_error() -> None:
    nothing = torch.zeros(3, 4, dtype=torch.float64)
    assert row_error(nothing + 1e-7, nothing, 1.0) > 1e100
    assert row_error(nothing + 1e-7, nothing, 1.0, floor=1.0) == pytest.approx(2e-7)
    assert row_error(nothing + 1, nothing + 2, 1.0, floor=1.0) == pytest.approx(0.5)  # larger rows count as they are
