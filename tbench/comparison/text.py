"""The comparison for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.text import Text

from tbench.comparison import facts, table
from tbench.comparison.grid import Grid
from tbench.comparison.model import Comparison
from tbench.tables.table import Table
from tbench.tables.text import NOTES_WIDTH, console_into, fold, lay_out, needed_width


def render(
    comparison: Comparison, grids: Sequence[Grid] = (), width: int | None = None, colour: bool | None = None
) -> str:
    """The comparison as text; grids in place of the cases where there are some. Without `width` and `colour` as
    standard output takes it: those of the terminal, neither when it is a file or a pipe. `NO_COLOR` and `COLUMNS` are
    honoured."""
    out = StringIO()
    console = console_into(out, width, colour)
    folded = min(console.width, NOTES_WIDTH)
    _head(console, comparison, folded)
    if grids:
        _grids(console, comparison, grids, folded)
    else:
        _cases(console, comparison, folded)
    for note in _foot(comparison, bool(grids)):
        console.print(fold(note, folded))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _head(console: Console, comparison: Comparison, folded: int) -> None:
    console.print(Text(facts.title(comparison), style="bold"))
    for side, words in facts.sides(comparison):
        console.print(fold(f"{side:<5}{words}", folded))
    for number, sentence in enumerate(facts.conditions(comparison)):
        loud = not comparison.like_with_like and number == 0
        console.print(fold(sentence, folded), style="bold red" if loud else "")
    console.print(fold(facts.summary(comparison), folded), style="bold")


def _cases(console: Console, comparison: Comparison, folded: int) -> None:
    for model in table.sections(comparison):
        console.print()
        console.print(Text(model.constants, style="dim"))
        missing = _fitted(console, model)
        notes = [f"[{number}] {note}" for number, note in enumerate(model.notes, start=1)]
        for note in (*notes, *model.remarks, *missing):
            console.print(fold(note, folded))
    console.print()


def _grids(console: Console, comparison: Comparison, grids: Sequence[Grid], folded: int) -> None:
    if constants := table.constants(comparison):
        console.print(Text(constants, style="dim"))
    for one in grids:
        model = table.grid(one)
        console.print()
        if model.constants:
            console.print(Text(model.constants, style="bold"))
        for note in _fitted(console, model):
            console.print(fold(note, folded))
    console.print()
    console.print(fold(table.legend(grids), folded))


def _fitted(console: Console, model: Table) -> list[str]:
    """Prints as many columns as there is room for; the note that names the others."""
    if not model.lines:
        return []
    shown = [*range(len(model.columns))]
    left_out: list[str] = []
    while (
        needed_width(console, model, shown) > console.width and (rank := max(model.columns[i].rank for i in shown)) > 0
    ):
        dropped = next(i for i in reversed(shown) if model.columns[i].rank == rank)
        shown.remove(dropped)
        left_out.insert(0, model.columns[dropped].name)
    console.print(lay_out(model, shown))
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
