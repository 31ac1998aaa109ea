"""`tbench export`: a run in the format of another tool, made from its folder."""

from __future__ import annotations

import sys

from tbench.analysis.run import Run
from tbench.cli.output import put
from tbench.errors import UsageError
from tbench.report.exchange import EVERY_CASE, exporter
from tbench.report.exchange.cases import left_out, timed
from tbench.tables import units


def export(run: str, format: str, output: str = "-") -> int:
    """Write the run to the file `output`, or to standard output for `-`; what has no place in the format is told on
    standard error. Raises StoreError, and UsageError also where there is nothing to write."""
    make = exporter(format)  # an unknown format before the folder is read
    read = Run.read(run)
    if format not in EVERY_CASE:
        tell(read, format)
    put(make(read), output)
    return 0


def tell(run: Run, format: str) -> None:
    """Say how many cases have no latency, and why. Raises UsageError where none has one: an empty file helps nobody."""
    missing = left_out(run.rows)
    why = ", ".join(f"{count} {reason}" for reason, count in missing.items())
    if not timed(run.rows):
        raise UsageError(
            f"{run.folder}: no case has a latency ({why or 'the run has no case'}), so there is nothing to export as "
            f"{format}; --format junit covers every case"
        )
    if missing:
        print(
            f"{run.folder}: {sum(missing.values())} of {units.counted(len(run.rows), 'case')} left out (no latency): "
            f"{why}; see "
            "`tbench report` for the reasons",
            file=sys.stderr,
        )
