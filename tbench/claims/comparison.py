"""How two measured cases compare in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tbench.analysis.clocks import not_compared
from tbench.analysis.derive import Row
from tbench.analysis.modes import two_groups_of_processes, without_ends
from tbench.analysis.statistics import differences, ratio
from tbench.analysis.turns import by_round, paired
from tbench.claims.slopes import unpaired_ratio
from tbench.claims.verdict import Estimate
from tbench.records import Turn


@dataclass(frozen=True)
class TimeRatio:
    """Time of the baseline ÷ time of the case. `in_turns`: whether they were measured side by side."""

    estimate: Estimate
    in_turns: bool


def time_ratio(base: Row, tested: Row) -> TimeRatio | None:
    """None where the host was measured, not the device (launch-bound), or the two by different clocks.

    Turn numbers of cases that were not in one group match by accident, so those are compared by their rounds alone.
    """
    one, other = base.measurement, tested.measurement
    if not_compared(one, other):
        return None
    if tested.speedup is not None and other.baseline == one.case.id:
        return TimeRatio(Estimate.of(tested.speedup), in_turns=True)
    together = other.baseline == one.case.id or (one.baseline is not None and one.baseline == other.baseline)
    first, second = paired(one.turns, other.turns)
    if together and first:
        found = ratio(first, second)
        if two_groups_of_processes(differences(first, second)):
            found = without_ends(found)
        return TimeRatio(Estimate.of(found), in_turns=True)
    return TimeRatio(unpaired_ratio(rounds(one.turns), rounds(other.turns)), in_turns=False)


def rounds(turns: Sequence[Turn]) -> list[float]:
    """Mean logarithm of each round's turns."""
    return [sum(logs) / len(logs) for logs in by_round(turns)]
