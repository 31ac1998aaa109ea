"""How far a result is from what it should be, and how far it may be: row by row, so that no row is lost."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tbench.components.compare import FACTOR, FLOOR, MEAN_FACTOR, MEAN_FLOOR, Rows, row_errors, worst
from tbench.components.workload import Check

numbers = st.lists(st.lists(st.floats(-10, 10), min_size=3, max_size=3), min_size=1, max_size=6)


def row_error(found: Tensor, expected: Tensor, smallest: float, floor: float = 0.0) -> float:
    return float(row_errors(found.numpy(), expected.numpy(), smallest, floor).max())


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
    assert not Rows("x", x.numpy(), x.numpy()).compare(wrong, "float32").passed


def test_a_small_row_is_compared_with_the_usual_one() -> None:
    x = torch.ones(1000, 4, dtype=torch.float64)
    x[0] = 1e-9
    wrong = x.clone()
    wrong[0] = 2e-9
    assert row_error(wrong, x, 0.0) == pytest.approx(1)
    assert row_error(wrong, x, 1.0) == pytest.approx(1e-9, rel=0.01)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_not_a_number_and_never_passes(bad: float) -> None:
    x = torch.ones(3, 4)
    wrong = x.clone()
    wrong[1, 2] = bad
    found = Rows("x", x.double().numpy(), x.double().numpy()).compare(wrong, "float32")
    assert math.isnan(found.error)
    assert not found.passed
    assert worst([Check(9.0, 1.0), found, Check(99.0, 1.0)]) is found


def test_another_shape_is_not_a_number_and_zeros_are_equal() -> None:
    x = torch.ones(3, 4, dtype=torch.float64)
    assert math.isnan(Rows("x", x.numpy(), x.numpy()).compare(torch.ones(2, 4), "float32").error)
    nothing = torch.zeros(3, 4, dtype=torch.float64)
    assert row_error(nothing, nothing, 0.1) == 0


def test_a_floor_keeps_rounding_of_a_zero_from_counting_as_an_error() -> None:
    nothing = torch.zeros(3, 4, dtype=torch.float64)
    assert row_error(nothing + 1e-7, nothing, 1.0) > 1e100
    assert row_error(nothing + 1e-7, nothing, 1.0, floor=1.0) == pytest.approx(2e-7)
    assert row_error(nothing + 1, nothing + 2, 1.0, floor=1.0) == pytest.approx(0.5)  # larger rows count as they are


@pytest.mark.parametrize("dtype", FLOOR)
@given(st.floats(1e-7, 0.3))
def test_what_is_allowed_follows_from_the_plain_computation(dtype: str, error: float) -> None:
    truth = torch.ones(8, 4, dtype=torch.float64)
    plain = truth * (1 + error)
    one = Rows("x", truth.numpy(), plain.numpy()).compare(truth * (1 + 0.4), dtype)
    limits = max(FLOOR[dtype], FACTOR * error), max(MEAN_FLOOR * FLOOR[dtype], MEAN_FACTOR * error)
    assert one.limit == pytest.approx(min(limits))
    assert Rows("x", truth.numpy(), plain.numpy()).compare(plain, dtype).passed


def test_rows_of_another_kind_have_a_limit_of_their_own() -> None:
    """What rows with large scores lose to rounding must not excuse the others."""
    truth = torch.ones(8, 4, dtype=torch.float64)
    kinds = torch.tensor([0, 1] * 4)
    plain = truth.clone()
    plain[kinds == 1] *= 1.2
    found = truth.clone()
    found[kinds == 0] *= 1.1
    assert Rows("x", truth.numpy(), plain.numpy()).compare(found, "bfloat16").passed
    assert not Rows("x", truth.numpy(), plain.numpy(), kinds.numpy()).compare(found, "bfloat16").passed


def test_a_plain_result_that_is_not_finite_allows_no_more_than_the_floor() -> None:
    truth = torch.ones(2, 4, dtype=torch.float64)
    plain = truth.clone()
    plain[0, 0] = math.nan
    assert not Rows("x", truth.numpy(), plain.numpy()).compare(truth * 1.1, "float16").passed
    assert Rows("x", truth.numpy(), plain.numpy()).compare(truth, "float16").passed
