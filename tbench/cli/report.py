"""`tbench report`: any report of a run, made from its folder."""

from __future__ import annotations

from tbench.analysis.run import Run
from tbench.cli.output import STDOUT, put
from tbench.report import renderer, text
from tbench.tables.text import UNLIMITED


def report(run: str, format: str, output: str = STDOUT) -> int:
    """Write the report to the file `output`, or to standard output for `-`. Raises StoreError and UsageError."""
    make = renderer(format)  # an unknown format before the folder is read
    read = Run.read(run)
    if output != STDOUT and format == "text":  # a file has neither width nor colours, whatever the terminal has
        put(text.render(read, UNLIMITED, colour=False), output)
    else:
        put(make(read), output)
    return 0
