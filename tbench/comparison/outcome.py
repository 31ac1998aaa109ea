"""What a comparison means for whoever must decide: nothing, a failure that was shown, or advice."""

from __future__ import annotations

from collections.abc import Sequence

from tbench.analysis.axes import label, varying
from tbench.comparison.model import Compared, Comparison, Verdict
from tbench.errors import CaseFailed, Inconclusive, Regression, TbenchError
from tbench.records import FAILED
from tbench.tables.units import counted

SHOWN = 5


def failure(comparison: Comparison) -> TbenchError | None:
    """The error that `--fail-on regression` ends with; None where there is nothing to stop for.

    CaseFailed: a case is BROKEN, or failed in the new run whatever it did in the base. Regression: one is SLOWER or
    BIGGER, and nothing else is recorded that changes times. Inconclusive: the same with something else that differs, so
    that it is advice; a case is MISSING, of which nothing is known; or one is INCONCLUSIVE.
    """
    told = varying([row.case for row in comparison.rows])

    def listed(rows: Sequence[Compared]) -> str:
        names = [label(row.case, told) for row in rows[:SHOWN]]
        return "; ".join(names) + (f"; and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")

    broken = [row for row in comparison.rows if row.verdict == Verdict.BROKEN or (row.new and row.new.status in FAILED)]
    missing, still_open = comparison.having(Verdict.MISSING), comparison.having(Verdict.INCONCLUSIVE)
    worse = [row for row in comparison.rows if row.verdict == Verdict.SLOWER or row.memory == Verdict.BIGGER]
    if broken:
        return CaseFailed(f"{_count(broken)} failed in the new run: {listed(broken)}")
    if worse and comparison.like_with_like:
        return Regression(f"{_count(worse)} exceeded the tolerance: {listed(worse)}")
    if worse:
        differing = ", ".join(one.name for one in comparison.differences if one.changes_times)
        return Inconclusive(
            f"{_count(worse)} exceeded the tolerance, but {differing} changed too: measure both sides "
            f"in one environment. {listed(worse)}"
        )
    if missing:
        return Inconclusive(f"{_count(missing)} of the base not measured in the new run: {listed(missing)}")
    if still_open:
        return Inconclusive(f"{_count(still_open)} undecided: {listed(still_open)}")
    return None


def exit_code(comparison: Comparison) -> int:
    """The exit code of `--fail-on regression`."""
    error = failure(comparison)
    return error.exit_code if error else 0


def _count(rows: Sequence[Compared]) -> str:
    return counted(len(rows), "case")
