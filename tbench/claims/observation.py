"""What was seen at one point of one regime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tbench.analysis.derive import Row
from tbench.analysis.run import Run
from tbench.analysis.statistics import Interval
from tbench.claims.model import Words
from tbench.claims.quality import Paired
from tbench.claims.verdict import Estimate
from tbench.records import FAILED, Value

STATES: Mapping[str, str] = {
    "unsupported": "不支持",
    "oom": "内存不足",
    "timeout": "超时",
    "wrong": "结果错误",
    "error": "出错",
}


@dataclass(frozen=True)
class Observation:
    """`point`: axes and values of the tested case. `cases`: identities of all cases that went into it, baseline first.

    `seconds`: the tested case's latency. `paired`: losses by seed, where arms are compared. `run`: where it is from.
    `in_turns`: false for times that were not taken side by side.
    """

    point: Mapping[str, Value]
    estimate: Estimate
    cases: tuple[str, ...]
    notes: tuple[Words, ...] = ()
    seconds: Interval | None = None
    paired: Paired | None = None
    run: Run | None = None
    in_turns: bool = True


@dataclass(frozen=True)
class Missing:
    """A case of a regime that gave no observation, and why. `failed`: it was measured, and has no result. `tried`: it
    was carried out, so that to do it again is no help."""

    case: str
    why: Words
    failed: bool = False
    tried: bool = False


def unmeasured(row: Row) -> Missing:
    """What is told of a case that was to be measured and has no figure."""
    why = Words(row.status, STATES.get(row.status, row.status))
    return Missing(row.measurement.case.id, why, failed=row.status in FAILED, tried=row.status in STATES)
