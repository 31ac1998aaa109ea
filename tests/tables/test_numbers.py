"""Only the digits that are known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.tables.numbers import decimals, significant


@pytest.mark.parametrize(
    ("value", "half", "shown"),
    [
        (12.34, 0.4, "12.3"),
        (12.34, 0.14, "12.34"),
        (1234.0, 30.0, "1230"),
        (1234.0, 300.0, "1200"),
        (1230.0, 0.001, "1230"),
        (1.0, 0.0, "1.000"),
        (0.01234, 0.0004, "0.0123"),
        (8.28, 1.0, "8.3"),
        (3.0, 50.0, "3"),
        (1234.0, None, "1200"),
        (0.01234, None, "0.012"),
        (0.0, None, "0"),
    ],
)
def test_only_the_digits_the_interval_justifies(value: float, half: float | None, shown: str) -> None:
    low, high = (None, None) if half is None else (value - half, value + half)
    assert significant(value, low, high) == shown


@given(st.floats(1e-9, 1e12), st.floats(1e-6, 0.5))
def test_rounding_stays_well_inside_the_interval(value: float, width: float) -> None:
    half = value * width
    shown = float(significant(value, value - half, value + half))
    assert abs(shown - value) <= max(half / 4, 6e-4 * value)  # four digits at most


def test_an_infinite_end_leaves_two_digits() -> None:
    assert decimals(1.234, 0.0, math.inf) == 1
