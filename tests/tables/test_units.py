"""Figures with a unit that fits and the digits that are known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.analysis.statistics import Interval
from tbench.tables import units


def interval(estimate: float, width: float | None) -> Interval:
    if width is None:
        return Interval(estimate, None, None, None, 1, 1)
    return Interval(estimate, estimate * (1 - width), estimate * (1 + width), width, 3, 9)


@pytest.mark.parametrize(
    ("seconds", "width", "shown"),
    [
        (0.0123, 0.03, "12.3 ms"),
        (0.00042, 0.03, "420 µs"),
        (3.4e-9, 0.03, "3.40 ns"),
        (4e-10, None, "0.40 ns"),
        (27.2, 0.02, "27.2 s"),
        (1234.0, 0.03, "1230 s"),
        (0.0123, None, "12 ms"),
    ],
)
def test_duration(seconds: float, width: float | None, shown: str) -> None:
    assert units.duration(interval(seconds, width)) == shown


@pytest.mark.parametrize(
    ("width", "shown"),
    [(0.012, "±1.2%"), (0.0996, "±10%"), (0.5, "±50%"), (0, "±0.0%"), (math.inf, ">±999%"), (None, "")],
)
def test_plus_minus(width: float | None, shown: str) -> None:
    assert units.plus_minus(width) == shown


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [
        (Interval(6.91, 6.68, 7.14, 0.03, 3, 9), "6.9× [6.7, 7.1]"),
        (Interval(0.981, 0.96, 1.003, 0.02, 3, 9), "0.98× [0.96, 1.00]"),
        (Interval(6.91, None, None, None, 1, 1), "6.9×"),
        (Interval(6.91, 0.0, math.inf, math.inf, 2, 2), "6.9× [0.0, ∞]"),
    ],
)
def test_times(ratio: Interval, shown: str) -> None:
    assert units.times(ratio) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(512, "512 B"), (2**20, "1.00 MiB"), (4_200_000_000, "3.91 GiB"), (1023 * 2**20, "1023 MiB"), (0, "0 B")],
)
def test_size(count: int, shown: str) -> None:
    assert units.size(count) == shown


def test_rate_has_the_digits_of_the_time_it_comes_from() -> None:
    assert units.rate(142.3e9, "FLOP/s", 0.02) == "142 GFLOP/s"
    assert units.rate(142.3e9, "FLOP/s", 0.2) == "140 GFLOP/s"
    assert units.rate(142.3e9, "FLOP/s", None) == "140 GFLOP/s"
    assert units.rate(1.423e12, "FLOP/s", 0.0001) == "1.42 TFLOP/s"
    assert units.rate(0.5, "B/s", None) == "0.50 B/s"


@pytest.mark.parametrize(
    ("fraction", "shown"), [(0.79, "79%"), (0.042, "4.2%"), (0.0012, "0.12%"), (1.03, "103%"), (0.0996, "10%")]
)
def test_share(fraction: float, shown: str) -> None:
    assert units.share(fraction) == shown


@given(st.floats(1e-12, 1e6), st.floats(1e-6, 5) | st.none())
def test_every_duration_is_short(seconds: float, width: float | None) -> None:
    number, unit = units.duration(interval(seconds, width)).split()
    assert unit in ("s", "ms", "µs", "ns")
    assert len(number) <= 9
    assert float(number) >= 0
