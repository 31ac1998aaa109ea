"""The table for a terminal: as wide as the terminal allows, the notes below it."""

from __future__ import annotations

import os
import shutil
import sys
from io import StringIO

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from tbench.analysis.run import Run
from tbench.report import facts
from tbench.report.model import Column, Table, table

STYLES = {"": "", "good": "green", "bad": "red", "quiet": "dim"}
UNLIMITED = 400  # for a file or a pipe: no line is folded but the notes
NOTES_WIDTH = 100


def console_into(out: StringIO, width: int | None, colour: bool | None) -> Console:
    """A console that writes to `out` what standard output would show; `width` and `colour` as for `render`."""
    if width is None:
        terminal = sys.stdout.isatty() or "COLUMNS" in os.environ
        width = shutil.get_terminal_size().columns if terminal else UNLIMITED
    if colour is None:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return Console(
        file=out,
        width=width,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False,
        legacy_windows=False,
    )


def render(run: Run, width: int | None = None, colour: bool | None = None) -> str:
    """The run's table as text. Without arguments as standard output takes it: width and colour of the terminal,
    neither when it is a file or a pipe. `NO_COLOR` and `COLUMNS` are honoured."""
    out = StringIO()
    console = console_into(out, width, colour)
    width = console.width
    model = table(run.rows)
    console.print(Text(facts.title(run), style="bold"))
    console.print(
        Text(f"{run.environment.device_name}, {run.environment.threads} threads, torch {run.environment.torch}")
    )
    if model.constants:
        console.print(Text(model.constants, style="dim"))
    shown = [*range(len(model.columns))]
    left_out: list[Column] = []
    while needed_width(console, model, shown) > width and (rank := max(model.columns[i].rank for i in shown)) > 0:
        dropped = next(i for i in reversed(shown) if model.columns[i].rank == rank)
        shown.remove(dropped)
        left_out.append(model.columns[dropped])
    console.print(lay_out(model, shown))
    notes = [f"[{number}] {note}" for number, note in enumerate(model.notes, start=1)]
    notes += model.remarks
    notes += [f"warning: {warning}" for warning in facts.warnings(run)]
    if left_out:
        names = ", ".join(column.name for column in reversed(left_out))
        notes.append(f"No room for: {names}. A wider terminal shows them, and so do results.csv and report.md.")
    for note in notes:
        console.print(fold(note, min(width, NOTES_WIDTH)))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def lay_out(model: Table, shown: list[int]) -> RichTable:
    laid = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for i in shown:
        name = model.columns[i].name.replace(" ", "\n")
        laid.add_column(name, justify="right" if model.columns[i].right else "left", overflow="fold")
    for number, line in enumerate(model.lines):
        if number in model.breaks:
            laid.add_section()
        laid.add_row(*(Text(line[i].text, style=STYLES[line[i].tone]) for i in shown))
    return laid


def needed_width(console: Console, model: Table, shown: list[int]) -> int:
    """Width at which no cell is folded."""
    options = console.options.update(max_width=10 * UNLIMITED)
    return console.measure(lay_out(model, shown), options=options).maximum


def fold(note: str, width: int) -> Padding:
    """Lines after the first are indented by the number's width, so that notes stay apart."""
    head, _, rest = note.partition(" ") if note.startswith("[") else ("", "", note)
    grid = RichTable.grid(padding=(0, 1), pad_edge=False)
    if head:
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", max_width=width - len(head) - 1)
    grid.add_row(*([Text(head)] if head else []), Text(rest))
    return Padding(grid, 0, expand=False)
