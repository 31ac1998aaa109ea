"""From turns to the logarithms that the statistics work on."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable

from tbench.records import Turn


def log_medians(turns: Iterable[Turn]) -> dict[tuple[int, int], float]:
    """Logarithm of each turn's median seconds, by (round, turn)."""
    return {(turn.round, turn.turn): math.log(statistics.median(turn.seconds)) for turn in turns}


def by_round(turns: Iterable[Turn]) -> list[list[float]]:
    """The same, a list per round, in the order the rounds first appear."""
    return _grouped(log_medians(turns))


def paired(base: Iterable[Turn], case: Iterable[Turn]) -> tuple[list[list[float]], list[list[float]]]:
    """Both sides' logarithms for the turns they share, in the same order; both empty when they share none."""
    first, second = log_medians(base), log_medians(case)
    shared = sorted(first.keys() & second.keys())
    return _grouped({key: first[key] for key in shared}), _grouped({key: second[key] for key in shared})


def _grouped(values: dict[tuple[int, int], float]) -> list[list[float]]:
    rounds: dict[int, list[float]] = {}
    for (number, _), value in values.items():
        rounds.setdefault(number, []).append(value)
    return list(rounds.values())
