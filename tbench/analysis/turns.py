"""From turns to the logarithms that the statistics work on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tbench.records import Clock, Turn


def clock_of(turns: Iterable[Turn]) -> Clock:
    """The clock whose times are reported for a case: one that excludes the host, if any turn was measured by such a
    clock; otherwise "" (a CPU, an eager launch, a run from before clocks were recorded)."""
    return next((turn.clock for turn in turns if turn.host_excluded), "")


def of_one_clock(turns: Iterable[Turn]) -> Sequence[Turn]:
    """The turns measured by the clock that is reported. Times with and without the host must not be pooled."""
    turns = list(turns)
    clock = clock_of(turns)
    return [turn for turn in turns if turn.clock == clock] if clock else turns


def sampled_seconds(turns: Iterable[Turn]) -> float:
    """Seconds that the calls took which are in the samples."""
    return sum(sum(turn.seconds) * turn.calls for turn in turns)


def log_medians(turns: Iterable[Turn]) -> dict[tuple[int, int], float]:
    """Logarithm of each turn's median seconds, by (round, turn), by one clock."""
    return {(turn.round, turn.turn): turn.log_median for turn in of_one_clock(turns)}


def by_round(turns: Iterable[Turn]) -> list[list[float]]:
    """The same, a list per round, in the order the rounds first appear."""
    return _grouped(log_medians(turns))


def paired(base: Iterable[Turn], case: Iterable[Turn]) -> tuple[list[list[float]], list[list[float]]]:
    """Both sides' logarithms for the turns they share, in the same order; both empty when they share none, or were
    measured by different clocks."""
    base, case = list(base), list(case)
    if clock_of(base) != clock_of(case):
        return [], []
    first, second = log_medians(base), log_medians(case)
    shared = sorted(first.keys() & second.keys())
    return _grouped({key: first[key] for key in shared}), _grouped({key: second[key] for key in shared})


def as_called(turns: Iterable[Turn]) -> list[Turn]:
    """The turns with what a Python program sees in place of the device's own time, where that was measured."""
    return [replace(turn, seconds=(turn.eager_seconds,), clock="") if turn.eager_seconds else turn for turn in turns]


def _grouped(values: dict[tuple[int, int], float]) -> list[list[float]]:
    rounds: dict[int, list[float]] = {}
    for (number, _), value in values.items():
        rounds.setdefault(number, []).append(value)
    return list(rounds.values())
