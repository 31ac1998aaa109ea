"""The report for a terminal: as wide as the terminal allows, the notes below the table."""

from __future__ import annotations

from tbench.analysis.run import Run
from tbench.report import facts
from tbench.report.model import table
from tbench.report.sections import sections
from tbench.tables.text import Sheet


def render(run: Run, width: int | None = None, colour: bool | None = None) -> str:
    """The run's table as text; `width` and `colour` as `Sheet` takes them."""
    sheet = Sheet(width, colour)
    sheet.say(facts.title(run), "loud")
    sheet.say(facts.machine(run))
    for name, rows in sections(run):
        if name:
            sheet.say()
            sheet.say(name, "loud")
        sheet.table(table(rows), elsewhere=", and so do results.csv and report.md")
    for warning in facts.warnings(run):
        sheet.note(f"warning: {warning}")
    return str(sheet)
