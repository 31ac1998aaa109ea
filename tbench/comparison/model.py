"""What a comparison is made of, for reports, exit codes and the gate; and the rule for peak memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tbench.analysis.derive import Reason, Row
from tbench.analysis.run import Run
from tbench.analysis.statistics import Interval
from tbench.comparison.environment import Difference
from tbench.records import Case


class Verdict(StrEnum):
    """Every word that `tbench compare` and `tbench gate` say of a case. A comparison has no SKIPPED, the gate neither
    FIXED (it says ADDED) nor SMALLER."""

    SLOWER = "SLOWER"
    FASTER = "FASTER"
    OK = "OK"
    INCONCLUSIVE = "INCONCLUSIVE"
    BROKEN = "BROKEN"
    FIXED = "FIXED"
    MISSING = "MISSING"
    ADDED = "ADDED"
    BIGGER = "BIGGER"
    SMALLER = "SMALLER"
    SKIPPED = "SKIPPED"


MEMORY_VERDICTS = (Verdict.BIGGER, Verdict.SMALLER)  # of a comparison, on peak memory alone
VERDICTS = tuple(one for one in Verdict if one not in (*MEMORY_VERDICTS, Verdict.SKIPPED))  # on everything else

# Peak memory is counted, not sampled: two runs of the same code agree to the byte, so a rule is enough.
LEAST_GROWTH = 2**20  # bytes: allocators round, and nobody misses less
GROWTH = 100  # one part in so many: 1%


@dataclass(frozen=True)
class Compared:
    """One case of either run. `base`, `new`: its row there, None where that run has not got it.

    `verdict`: SLOWER, FASTER: shown to be past the tolerance. OK: shown to be no slower than it allows. INCONCLUSIVE:
    neither; `smallest_change` (0.12: 12%) is what would have been seen, `rounds_needed` the rounds per side that see
    twice the tolerance. BROKEN: was ok and is not; FIXED: the other way round. MISSING: only in the base; ADDED: only
    in the new run. None: not ok on either side, or not timed. `ratio`: new ÷ base time. `memory`: of the peak, by
    `weighed`. `p_slower`, `p_faster`: of this case alone, before Holm.
    """

    case: Case
    base: Row | None
    new: Row | None
    verdict: Verdict | None = None
    ratio: Interval | None = None
    memory: Verdict | None = None
    reasons: tuple[Reason, ...] = ()
    p_slower: float | None = None
    p_faster: float | None = None
    smallest_change: float | None = None
    rounds_needed: int | None = None


@dataclass(frozen=True)
class Comparison:
    """Two runs and every case of them: in the base's order, then what only the new run has.

    `tolerance`: the slow-down that is accepted, 0.05 for 5%. `alpha`: the probability that any case at all is called
    SLOWER that is not, and the same for FASTER.
    """

    base: Run
    new: Run
    tolerance: float
    alpha: float
    rows: tuple[Compared, ...]
    differences: tuple[Difference, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def like_with_like(self) -> bool:
        """Whether nothing that changes times differs between the runs, as far as is recorded."""
        return not any(one.changes_times for one in self.differences)

    def having(self, verdict: Verdict) -> Sequence[Compared]:
        return [row for row in self.rows if verdict in (row.verdict, row.memory)]


def grown(base: int, new: int) -> bool:
    """Whether `new` bytes are more than `base` by over 1% and over 1 MiB."""
    return new - base > LEAST_GROWTH and GROWTH * (new - base) > base


def weighed(base: int | None, new: int | None) -> Verdict | None:
    """What became of a peak in bytes; None where it is as it was, or was not had on both sides."""
    if base is None or new is None:
        return None
    return Verdict.BIGGER if grown(base, new) else Verdict.SMALLER if grown(new, base) else None
