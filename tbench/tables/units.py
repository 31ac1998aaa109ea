"""Figures as a reader sees them: a unit that fits, and only the digits that are known."""

from __future__ import annotations

import math
from typing import Protocol

from tbench.tables.numbers import decimals, fixed, significant

TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
SIZES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
RATES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class Interval(Protocol):
    """A figure with its interval, such as `tbench.analysis.statistics.Interval`; no ends where it has none."""

    @property
    def estimate(self) -> float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def duration(latency: Interval) -> str:
    """Seconds as `12.3 ms`, `420 µs`, `1.30 s`."""
    scale, unit = next(((s, u) for s, u in TIMES if latency.estimate >= s), TIMES[-1])
    low, high = (None if end is None else end / scale for end in (latency.low, latency.high))
    return f"{significant(latency.estimate / scale, low, high)} {unit}"


def duration_of(seconds: float) -> str:
    """Seconds of which no interval is told, with three digits: `12.3 ms`."""
    scale, unit = next(((s, u) for s, u in TIMES if seconds >= s), TIMES[-1])
    return f"{three_digits(seconds / scale)} {unit}"


def plus_minus(width: float | None) -> str:
    """A relative half-width as `±1.2%`; empty where there is no interval."""
    if width is None:
        return ""
    if not width < 10:
        return ">±999%"
    return f"±{fixed(100 * width, 1)}%" if width < 0.0995 else f"±{fixed(100 * width, 0)}%"


def times(ratio: Interval) -> str:
    """A speed-up as `6.9× [6.7, 7.1]`, its ends with the digits of the middle."""
    digits = decimals(ratio.estimate, ratio.low, ratio.high)
    middle = f"{fixed(ratio.estimate, digits)}×"
    if ratio.low is None or ratio.high is None:
        return middle
    high = fixed(ratio.high, digits) if math.isfinite(ratio.high) else "∞"
    return f"{middle} [{fixed(ratio.low, digits)}, {high}]"


def size(count: int) -> str:
    """Bytes as `512 B`, `12.1 MiB`, `1.25 GiB`."""
    scale, unit = next(((s, u) for s, u in SIZES if count >= s), (1, "B"))
    return f"{count} B" if scale == 1 else f"{three_digits(count / scale)} {unit}"


def rate(per_second: float, unit: str, width: float | None) -> str:
    """`142 GFLOP/s`; `width` is the relative half-width of the time it was derived from."""
    scale, prefix = next(((s, p) for s, p in RATES if per_second >= s), (1.0, ""))
    value = per_second / scale
    digits = decimals(value, None, None) if width is None else decimals(value, value * (1 - width), value * (1 + width))
    return f"{fixed(value, min(digits, _three(value)))} {prefix}{unit}"


def share(fraction: float) -> str:
    """A fraction as `79%`, below a tenth with two digits: `4.2%`."""
    percent = 100 * fraction
    return f"{fixed(percent, 0 if percent >= 9.95 else decimals(percent, None, None))}%"


def three_digits(value: float) -> str:
    """An exact figure cut to three digits: 0.252, 12.1, 1020."""
    return fixed(value, max(_three(value), 0))


def _three(value: float) -> int:
    return 2 - math.floor(math.log10(abs(value))) if value else 0


def counted(number: int, noun: str) -> str:
    """`1 case`, `3 cases`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
