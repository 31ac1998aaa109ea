"""What a gate found: a verdict and a reason for every case, and the exit code that follows. Plain records."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tbench.analysis.statistics import Interval

Verdict = Literal["SLOWER", "BIGGER", "BROKEN", "INCONCLUSIVE", "MISSING", "OK", "FASTER", "ADDED", "SKIPPED"]
FAILING: Mapping[Verdict, int] = {"BROKEN": 4, "SLOWER": 1, "BIGGER": 1, "INCONCLUSIVE": 3, "MISSING": 3}


@dataclass(frozen=True)
class Outcome:
    """What became of one case.

    SLOWER, BIGGER: shown to be past the tolerance, in time or memory. BROKEN: worked in the base and fails now, or is
    wrong. INCONCLUSIVE: neither shown nor excluded. MISSING: only the base has it. ADDED: only the new side has it,
    and it works. SKIPPED: cannot run here, on either side. `ratio`: new ÷ base time.
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
    line: int | None = None  # in the scenario file

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Result:
    """A whole run of the gate. `base`, `new`: what the sides are, in words. `control`: the base against itself."""

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

    @property
    def exit_code(self) -> int:
        return exit_code(self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"exit_code": self.exit_code}


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """4 if a case is broken, else 1 if one is shown to be worse, else 3 if something stayed open, else 0."""
    codes = {FAILING.get(one.verdict, 0) for one in outcomes}
    return next((code for code in (4, 1, 3) if code in codes), 0)


def without_alarms(outcome: Outcome, why: str) -> Outcome:
    """The outcome where a statement about time cannot be trusted: BROKEN and BIGGER stand, they are not sampled."""
    if outcome.verdict in ("SLOWER", "FASTER", "OK"):
        return dataclasses.replace(outcome, verdict="INCONCLUSIVE", reason=why)
    return outcome
