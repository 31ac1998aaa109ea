"""A table and notes as text for a terminal."""

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

from tbench.tables.table import Table

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
