"""What a gate found: a verdict and a reason for every case, and the exit code that follows. Plain records."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tbench.analysis.statistics import Interval
from tbench.comparison.model import grown

Verdict = Literal["SLOWER", "BIGGER", "BROKEN", "INCONCLUSIVE", "MISSING", "OK", "FASTER", "ADDED", "SKIPPED"]
FAILING: Mapping[Verdict, int] = {"BROKEN": 4, "SLOWER": 1, "BIGGER": 1, "INCONCLUSIVE": 3, "MISSING": 3}


@dataclass(frozen=True)
class Outcome:
    """What became of one case.

    SLOWER, BIGGER: shown to be past the tolerance, in time or memory. BROKEN: fails now, or is wrong, whatever it did
    in the base. INCONCLUSIVE: neither shown nor excluded, or the base failed. MISSING: only the base has it. ADDED:
    only the new side has it, or can run it, and it is correct. SKIPPED: cannot run here. `ratio`: new ÷ base time.
    """

    case: str
    verdict: Verdict
    reason: str = ""
    ratio: Interval | None = None
    base_seconds: float | None = None
    new_seconds: float | None = None
    base_bytes: int | None = None
    new_bytes: int | None = None
    pairs: int = 0
    detectable: float | None = None
    more: int | None = None
    file: str = ""  # that asks for the case, from the repository's root where there is one
    line: int | None = None  # in it

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Result:
    """A whole run of the gate. `base`, `new`: what the sides are, in words. `control`: the base against itself.
    `stored`: the base was measured on another day."""

    scenario: str
    path: str
    base: str
    new: str
    tolerance: float
    alpha: float
    outcomes: tuple[Outcome, ...]
    control: Outcome | None = None
    notes: tuple[str, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    stored: bool = False

    @property
    def exit_code(self) -> int:
        return exit_code(self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"exit_code": self.exit_code}


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """4 if a case is broken, else 1 if one is shown to be worse, else 3 if something stayed open, else 0.

    Where no case could run, nothing was guarded: 3.
    """
    verdicts = {one.verdict for one in outcomes}
    if verdicts <= {"SKIPPED"}:
        return 3
    codes = {FAILING.get(verdict, 0) for verdict in verdicts}
    return next((code for code in (4, 1, 3) if code in codes), 0)


def without_alarms(outcome: Outcome, why: str) -> Outcome:
    """The outcome where a statement about time cannot be trusted: BROKEN and BIGGER stand, they are not sampled."""
    base, new = outcome.base_bytes, outcome.new_bytes
    if outcome.verdict == "SLOWER" and base is not None and new is not None and grown(base, new):
        return dataclasses.replace(outcome, verdict="BIGGER", reason=f"{outcome.reason}; of its time: {why}")
    if outcome.verdict in ("SLOWER", "FASTER", "OK"):
        return dataclasses.replace(outcome, verdict="INCONCLUSIVE", reason=why)
    return outcome
