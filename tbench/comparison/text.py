"""The comparison for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from tbench.comparison import facts, table
from tbench.comparison.grid import Grid
from tbench.comparison.model import Comparison
from tbench.tables.text import Sheet

ELSEWHERE = ", and so does --format md"


def render(
    comparison: Comparison, grids: Sequence[Grid] = (), width: int | None = None, colour: bool | None = None
) -> str:
    """The comparison as text; grids in place of the cases where there are some. `width` and `colour` as `Sheet` takes
    them."""
    sheet = Sheet(width, colour)
    _head(sheet, comparison)
    if grids:
        _grids(sheet, comparison, grids)
    else:
        for model in table.sections(comparison):
            sheet.say()
            sheet.table(model, elsewhere=ELSEWHERE)
        sheet.say()
    for note in _foot(comparison, bool(grids)):
        sheet.note(note)
    return str(sheet)


def _head(sheet: Sheet, comparison: Comparison) -> None:
    sheet.say(facts.title(comparison), "loud")
    for side, words in facts.sides(comparison):
        sheet.note(f"{side:<5}{words}")
    weighty, *others = facts.conditions(comparison)
    sheet.note(weighty, "" if comparison.like_with_like else "alarm")
    for sentence in others:
        sheet.note(sentence)
    sheet.note(facts.summary(comparison), "loud")


def _grids(sheet: Sheet, comparison: Comparison, grids: Sequence[Grid]) -> None:
    if constants := table.constants(comparison):
        sheet.say(constants, "quiet")
    for one in grids:
        sheet.say()
        sheet.table(table.grid(one), "loud", ELSEWHERE)
    sheet.say()
    sheet.note(table.legend(grids))


def _foot(comparison: Comparison, grids: bool) -> list[str]:
    explained = None if grids else facts.open_cases(comparison)
    reasons = ["Omit --rows/--cols to list every case with its interval and notes."] if grids else []
    return [
        facts.rule(comparison),
        *([explained] if explained else []),
        *reasons,
        *(f"warning: {warning}" for warning in comparison.warnings),
    ]
