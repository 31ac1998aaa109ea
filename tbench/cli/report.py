"""`tbench report`: any report of a run, made from its folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tbench.analysis.run import Run
from tbench.cli.output import STDOUT, put
from tbench.errors import UsageError
from tbench.report import FORMATS, renderer, text
from tbench.tables.formats import chosen
from tbench.tables.text import UNLIMITED, Sheet

HTML = "html"
PAGE = "report.html"  # in the run folder
GATE = "gate.json"


def report(run: str, format: str, output: str = STDOUT, plot: bool = False) -> int:
    """Write the report to the file `output`, or to standard output for `-`; a page that would flood a terminal goes
    into the folder. `plot`: small charts in place of the table. Raises StoreError and UsageError."""
    wanted = chosen(format, {**{name: name for name in FORMATS}, HTML: HTML})  # before the folder is read
    if plot and wanted != "text":
        raise UsageError(f"--plot draws in the terminal; leave out --format {format}")
    if wanted == HTML:
        return page(run, output)
    read = Run.read(run)
    to_file = output != STDOUT  # a file has neither width nor colours, whatever the terminal has
    if plot:
        put(plotted(read, to_file), output)
    elif to_file and wanted == "text":
        put(text.render(read, UNLIMITED, colour=False), output)
    else:
        put(renderer(wanted)(read), output)
    return 0


def page(folder: str, output: str) -> int:
    """The page of a run, or of a gate's folder."""
    made = maker(folder)()
    if output == STDOUT and sys.stdout.isatty():
        output = str(Path(folder) / PAGE)
        print(f"writing {output}", file=sys.stderr)
    put(made, output)
    return 0


def maker(folder: str) -> Callable[[], str]:
    if (Path(folder) / GATE).exists():
        from tbench.gate.folder import read as read_gate
        from tbench.page import gated

        return lambda: gated.render(read_gate(Path(folder)))
    from tbench.page import run

    return lambda: run.render(Run.read(folder))


def plotted(read: Run, to_file: bool) -> str:
    from tbench.charts import terminal

    sheet = Sheet(UNLIMITED if to_file else None, False if to_file else None)
    return terminal.render(read, sheet.width, sheet.colour)
