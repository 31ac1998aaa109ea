"""How many digits a figure deserves."""

from __future__ import annotations

import math


def decimals(value: float, low: float | None, high: float | None) -> int:
    """How many digits after the point `value` deserves (negative: rounded to tens, hundreds, …).

    The last digit is the leading digit of the interval's half-width, or the one after it when that is a 1 (so that
    rounding moves an end by a quarter of the half-width at most); never more than four digits in all, and two when
    the interval is unknown.
    """
    if value == 0 or not math.isfinite(value):
        return 0
    lead = math.floor(math.log10(abs(value)))
    if low is None or high is None or not math.isfinite(high - low):
        return 1 - lead
    half = (high - low) / 2
    place = math.floor(math.log10(half / 2)) if half > 0 else lead - 3
    return -min(max(place, lead - 3), lead)


def fixed(value: float, digits: int) -> str:
    """`value` rounded to `digits` after the point; negative `digits` round before it (1234, −1: 1230)."""
    return f"{round(value, digits):.{max(digits, 0)}f}"


def significant(value: float, low: float | None, high: float | None) -> str:
    """`value` with only the digits its interval justifies: 12.34 in 12.34 ± 0.4 is `12.3`, 1234 ± 30 is `1230`."""
    return fixed(value, decimals(value, low, high))
