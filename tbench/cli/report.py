"""`tbench report`: any report of a run, made from its folder."""

from __future__ import annotations

from tbench.analysis.run import Run
from tbench.cli.output import STDOUT, put
from tbench.report import renderer


def report(run: str, format: str, output: str = STDOUT) -> int:
    """Write the report to the file `output`, or to standard output for `-`. Raises StoreError and UsageError."""
    make = renderer(format)  # an unknown format before the folder is read
    put(make(Run.read(run)), output)
    return 0
