"""Shares of trials with their exact binomial bounds (Clopper & Pearson 1934). Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rate:
    """`hits` of `trials`, with the 95% interval of the share."""

    hits: int
    trials: int

    @property
    def share(self) -> float | None:
        return self.hits / self.trials if self.trials else None

    @property
    def low(self) -> float:
        return clopper_pearson(self.hits, self.trials)[0]

    @property
    def high(self) -> float:
        return clopper_pearson(self.hits, self.trials)[1]

    @property
    def bound(self) -> float:
        """The one-sided 95% bound above: what 0 of 300 says."""
        return upper_bound(self.hits, self.trials)

    def to_dict(self) -> dict[str, Any]:
        return {"hits": self.hits, "trials": self.trials, "share": self.share, "low": self.low, "high": self.high}


def clopper_pearson(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share. No trials: everything."""
    side = (1 - confidence) / 2
    return lower_bound(hits, trials, side), upper_bound(hits, trials, side)


def upper_bound(hits: int, trials: int, error: float = 0.05) -> float:
    """The share that would give so few hits with probability `error`."""
    if hits >= trials:
        return 1.0
    return bisected(lambda share: at_most(hits, trials, share) > error)


def lower_bound(hits: int, trials: int, error: float) -> float:
    if hits == 0:
        return 0.0
    return bisected(lambda share: 1 - at_most(hits - 1, trials, share) < error)


def at_most(hits: int, trials: int, share: float) -> float:
    """P(so many successes or fewer); by logarithms, as the number of ways to choose outgrows a float."""
    if share <= 0 or hits >= trials:
        return 1.0
    if share >= 1:
        return 0.0
    every = math.lgamma(trials + 1)

    def chance(k: int) -> float:
        ways = every - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        return math.exp(ways + k * math.log(share) + (trials - k) * math.log1p(-share))

    return math.fsum(chance(k) for k in range(hits + 1))


def bisected(below: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2
