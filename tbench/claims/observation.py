"""What was seen at one point of one regime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tbench.analysis.run import Run
from tbench.analysis.statistics import Interval
from tbench.claims.quality import Paired
from tbench.claims.verdict import Estimate
from tbench.records import Value


@dataclass(frozen=True)
class Observation:
    """`point`: axes and values of the tested case. `cases`: identities of all cases that went into it, baseline first.

    `seconds`: the tested case's latency. `paired`: losses by seed, where arms are compared. `run`: where it is from.
    `in_turns`: false for times that were not taken side by side.
    """

    point: Mapping[str, Value]
    estimate: Estimate
    cases: tuple[str, ...]
    notes: tuple[str, ...] = ()
    seconds: Interval | None = None
    paired: Paired | None = None
    run: Run | None = None
    in_turns: bool = True


@dataclass(frozen=True)
class Missing:
    """A case that belongs to a regime but gave no observation, and why."""

    case: str
    why: str
