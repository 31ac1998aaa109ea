"""What the formats share: which cases have a latency, what is to be said of the rest, and a case's processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tbench.analysis.derive import Row
from tbench.analysis.statistics import Interval
from tbench.analysis.turns import of_one_clock
from tbench.records import Turn

EXPERIMENT = "not timed (an experiment)"


def timed(rows: Iterable[Row]) -> list[tuple[Row, Interval]]:
    """The rows that have a latency, with it (seconds)."""
    return [(row, row.latency) for row in rows if row.latency is not None]


def left_out(rows: Iterable[Row]) -> dict[str, int]:
    """How many rows have no latency, by the reason: a status, or that the case is not one to be timed."""
    return dict(Counter(EXPERIMENT if row.status == "ok" else row.status for row in rows if row.latency is None))


def processes(turns: Iterable[Turn]) -> list[Sequence[Turn]]:
    """The turns of each process (a round is one) by the clock that is reported, in the order they ran."""
    found: dict[int, list[Turn]] = {}
    for turn in of_one_clock(turns):
        found.setdefault(turn.round, []).append(turn)
    return list(found.values())
