"""A figure in few characters, for the headline table: `2.9× (2.3–5.7)`, `−75%`, `PPL × 5.3 [5.2, 5.5]`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tbench.claims.model import Language, Measure
from tbench.claims.verdict import Estimate
from tbench.claims.words import NO, YES, digits
from tbench.tables.numbers import fixed

Spread = Literal["interval", "span", "exact"]
Style = Literal["ratio", "percent", "points", "loss", "plain"]
NEAR_ONE = 2.0  # below it a ratio has a third digit: there a few percent count


@dataclass(frozen=True)
class Figure:
    """One figure in the unit it is read in, with its 95% interval or the least and greatest of several points.

    `low` and `high` are None where there is no interval; all three are equal where the figure was counted.
    """

    value: float
    low: float | None
    high: float | None
    spread: Spread


@dataclass(frozen=True)
class Form:
    """How a measure is written: `style` says what the estimate becomes and which digits it has."""

    style: Style
    before: str = ""
    after: str = ""


FORMS: Mapping[Measure, Form] = {
    "speedup": Form("ratio", after="×"),
    "seed_ratio": Form("ratio", after="×"),
    "memory_ratio": Form("percent", after="%"),
    "saved": Form("percent", after="%"),
    "share_difference": Form("points", after=" pp"),
    "loss_difference": Form("loss"),
    "extrapolation": Form("ratio", before="PPL × "),
    "extrapolation_gain": Form("ratio", before="PPL ÷ "),
    "slope": Form("ratio", before="N^"),
    "number": Form("plain"),
    "seed_mean": Form("plain"),
    "effort": Form("ratio", after="×"),
    "decades": Form("plain", after=" dec"),
}


def read(measure: Measure, value: float) -> float:
    """An estimate in the unit it is read in: memory as the change in percent, a loss as tested − baseline."""
    if measure == "memory_ratio":  # baseline ÷ tested
        return 100 * (1 / value - 1) if value else math.inf
    if measure in ("saved", "share_difference"):
        return -100 * value
    return -value if measure == "loss_difference" else value


def figure(measure: Measure, estimates: Sequence[Estimate]) -> Figure:
    """One estimate with its interval; of several the median with the least and the greatest. Raises ValueError for
    none."""
    if not estimates:
        raise ValueError("no estimate")
    if len(estimates) > 1:
        values = sorted(read(measure, one.value) for one in estimates)
        middle = len(values) // 2
        # Of an even number the mean of the two in the middle, which may be infinite.
        median = values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
        return Figure(median, values[0], values[-1], "span" if values[0] != values[-1] else "exact")
    (one,) = estimates
    value = read(measure, one.value)
    if one.low is None or one.high is None:
        return Figure(value, None, None, "interval")
    low, high = sorted((read(measure, one.low), read(measure, one.high)))
    return Figure(value, low, high, "exact" if low == high else "interval")


def written(measure: Measure, shown: Figure, language: Language, truth: bool = False) -> str:
    """`2.9× (2.3–5.7)` for a span, `2.9× [2.8, 3.1]` for an interval; the figure alone where its ends read the same."""
    if truth:
        return (YES if shown.value else NO)[language]
    form = FORMS[measure]
    value, low, high = (None if one is None else _digits(form.style, one, shown) for one in _ends(shown))
    alone = f"{form.before}{value}{form.after}"
    if low is None or high is None or low == high == value:
        return alone
    if shown.spread == "interval":
        return f"{alone} [{low}, {high}]"
    between = "–" if form.style in ("ratio", "plain") else " to " if language == "en" else "至"
    return f"{alone} ({low}{between}{high})"


def _ends(shown: Figure) -> tuple[float, float | None, float | None]:
    return shown.value, shown.low, shown.high


def _digits(style: Style, value: float, shown: Figure) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    sign = "+" if style in ("percent", "points", "loss") and value > 0 else ""
    if style == "plain":
        whole = value == int(value) and abs(value) < 10**9
        return _minus(f"{value:.0f}" if whole else f"{value:.2g}")
    places = digits(*_ends(shown)) if style == "loss" else _places(style, value)
    rounded = _minus(fixed(value, min(places, 4)))
    return sign + rounded if rounded.strip("−0.") else rounded.lstrip("−")


def _places(style: Style, value: float) -> int:
    size = abs(value)
    if style == "points":
        return 0
    if style == "percent":
        return 0 if size >= 9.95 and not 99 < size < 100 else 1
    if size >= 9.95:
        return 0
    return 1 if size >= NEAR_ONE - 0.05 else 2 if size >= 0.1 else 3


def _minus(number: str) -> str:
    return f"−{number[1:]}" if number.startswith("-") else number
