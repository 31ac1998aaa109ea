"""The table for a terminal: as wide as the terminal allows, the notes below it."""

from __future__ import annotations

from io import StringIO

from rich.text import Text

from tbench.analysis.run import Run
from tbench.report import facts
from tbench.report.model import table
from tbench.tables.table import Column
from tbench.tables.text import NOTES_WIDTH, console_into, fold, lay_out, needed_width


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
