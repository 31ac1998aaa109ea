"""The comparison for a terminal."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.text import Text

from tbench.comparison import facts, table
from tbench.comparison.grid import Grid
from tbench.comparison.model import Comparison
from tbench.report.model import Table
from tbench.report.text import NOTES_WIDTH, UNLIMITED, _folded, _laid_out, _needed


def render(
    comparison: Comparison, grids: Sequence[Grid] = (), width: int | None = None, colour: bool | None = None
) -> str:
    """The comparison as text; grids in place of the cases where there are some. Without `width` and `colour` as
    standard output takes it: those of the terminal, neither when it is a file or a pipe. `NO_COLOR` and `COLUMNS` are
    honoured."""
    if width is None:
        terminal = sys.stdout.isatty() or "COLUMNS" in os.environ
        width = shutil.get_terminal_size().columns if terminal else UNLIMITED
    if colour is None:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    out = StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False,
        legacy_windows=False,
    )
    folded = min(width, NOTES_WIDTH)
    _head(console, comparison, folded)
    if grids:
        _grids(console, grids, folded)
    else:
        _cases(console, comparison, folded)
    for note in _foot(comparison, bool(grids)):
        console.print(_folded(note, folded))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _head(console: Console, comparison: Comparison, folded: int) -> None:
    console.print(Text(facts.title(comparison), style="bold"))
    for side, words in facts.sides(comparison):
        console.print(_folded(f"{side:<5}{words}", folded))
    for number, sentence in enumerate(facts.conditions(comparison)):
        loud = not comparison.like_with_like and number == 0
        console.print(_folded(sentence, folded), style="bold red" if loud else "")
    console.print(_folded(facts.summary(comparison), folded), style="bold")
    if constants := table.constants(comparison):
        console.print(Text(constants, style="dim"))


def _cases(console: Console, comparison: Comparison, folded: int) -> None:
    model = table.cases(comparison)
    console.print()
    notes = _fitted(console, model)
    for note in (*(f"[{number}] {note}" for number, note in enumerate(model.notes, start=1)), *model.remarks, *notes):
        console.print(_folded(note, folded))


def _grids(console: Console, grids: Sequence[Grid], folded: int) -> None:
    for one in grids:
        model = table.grid(one)
        console.print()
        if model.constants:
            console.print(Text(model.constants, style="bold"))
        for note in _fitted(console, model):
            console.print(_folded(note, folded))
    console.print()
    console.print(_folded(table.legend(grids), folded))


def _fitted(console: Console, model: Table) -> list[str]:
    """Prints as many columns as there is room for; the note that names the others."""
    shown = [*range(len(model.columns))]
    left_out: list[str] = []
    while _needed(console, model, shown) > console.width and (rank := max(model.columns[i].rank for i in shown)) > 0:
        dropped = next(i for i in reversed(shown) if model.columns[i].rank == rank)
        shown.remove(dropped)
        left_out.insert(0, model.columns[dropped].name)
    console.print(_laid_out(model, shown))
    if not left_out:
        return []
    return [f"No room for: {', '.join(left_out)}. A wider terminal shows them, and so does --format md."]


def _foot(comparison: Comparison, grids: bool) -> list[str]:
    explained = None if grids else facts.open_cases(comparison)
    reasons = ["Without --rows and --cols every case is told with its interval and reasons."] if grids else []
    return [
        facts.rule(comparison),
        *([explained] if explained else []),
        *reasons,
        *(f"warning: {warning}" for warning in comparison.warnings),
    ]
