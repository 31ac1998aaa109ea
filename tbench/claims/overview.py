"""The headline table as text, Markdown, CSV and plain data: one function each over the same lines."""

from __future__ import annotations

import csv as csv_module
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from rich.cells import cell_len

from tbench.analysis.run import Run
from tbench.claims.assess import Assessment
from tbench.claims.headline import MARKS, WORDS, Headline, Word, headlines
from tbench.claims.model import Article, Language, Words
from tbench.claims.render import sources
from tbench.tables.markdown import escaped, pipe_table
from tbench.tables.table import Cell, Column, Table, Tone
from tbench.tables.text import Sheet, natural, taken

WIDTH = 100
LEAST_WHEN = 12
HEADINGS: Sequence[tuple[Words, int]] = (  # with the rank of the column: where there is no room, high ranks go first
    (Words("component", "组件"), 0),
    (Words("2017 → 2024", "2017 → 2024"), 2),
    (Words("claimed", "论断"), 0),
    (Words("measured", "实测"), 0),
    (Words("published", "文献"), 3),
    (Words("verdict", "判定"), 0),
    (Words("holds for", "成立条件"), 1),
)
TONES: Mapping[Word, Tone] = {Word.HOLDS: "good", Word.PARTLY: "", Word.FAILS: "bad", Word.OPEN: "quiet"}
COLUMNS = (
    *("row", "claim", "component", "change", "claimed", "measure", "value", "low", "high", "spread"),
    *("measured", "published", "verdict", "when"),
)
MORE = Words(
    "( ) range, [ ] 95% interval; K = 1,024; published: other hardware. Why: --explain reads, --details",
    "( )为各设置的范围，[ ]为95%区间；K为1,024个词元；文献来自其他硬件。依据：--explain reads、--details",
)


def text(
    article: Article,
    assessments: Sequence[Assessment],
    language: Language,
    runs: Sequence[Run] = (),
    width: int | None = None,
) -> str:
    """For a terminal; 100 columns at most, whatever its width."""
    sheet = Sheet(width, wide=WIDTH)
    write(sheet, article, assessments, language, runs)
    return str(sheet)


def write(
    sheet: Sheet, article: Article, assessments: Sequence[Assessment], language: Language, runs: Sequence[Run]
) -> None:
    """The table with where it was measured above it, and how to read on below."""
    sheet.width = min(sheet.width, WIDTH)
    for line in sources(runs, language):
        sheet.say(line, "quiet")
    sheet.table(table(headlines(article, assessments, language), language, sheet.width))
    sheet.note(MORE[language], "quiet")


def table(lines: Sequence[Headline], language: Language, width: int | None = None) -> Table:
    """The lines as a table. `width`: of a condition, only as many clauses as fit beside the rest are given."""
    cells = [_cells(one, before, language) for one, before in zip(lines, (None, *lines), strict=False)]
    columns = tuple(Column(words[language], right=False, rank=rank) for words, rank in HEADINGS)
    rest = Table(columns[:-1], tuple(cells))
    room = None if width is None else max(width - taken([*natural(rest), 0]), LEAST_WHEN)
    conditions = (Cell(condition(one.when, language, room)) for one in lines)
    return Table(columns, tuple((*line, last) for line, last in zip(cells, conditions, strict=True)))


def _cells(one: Headline, before: Headline | None, language: Language) -> tuple[Cell, ...]:
    """What the line above says too is not repeated."""
    row = before is not None and before.row == one.row
    change = row and before is not None and before.change == one.change
    return (
        Cell("" if row else one.component),
        Cell("" if change else one.change),
        Cell(one.claimed),
        Cell(one.measured),
        Cell(one.published, "quiet"),
        Cell(f"{MARKS[one.word]} {WORDS[one.word][language]}", TONES[one.word]),
    )


def condition(clauses: Sequence[str], language: Language, room: int | None = None) -> str:
    """As many clauses as there is room for, the first ones first; one that does not fit is passed over."""
    between = "; " if language == "en" else "；"
    told = ""
    for clause in clauses:
        longer = f"{told}{between}{clause}" if told else clause
        if room is None or cell_len(longer) <= room:
            told = longer
    return told


def markdown(article: Article, assessments: Sequence[Assessment], language: Language, runs: Sequence[Run] = ()) -> str:
    """The table as Markdown, with all of each condition."""
    lines = headlines(article, assessments, language)
    parts = [*map(escaped, sources(runs, language)), pipe_table(table(lines, language))]
    return "\n\n".join(parts) + "\n"


def csv(article: Article, assessments: Sequence[Assessment], language: Language, runs: Sequence[Run] = ()) -> str:
    """A line for each promise: figures in full precision, and as they are printed."""
    out = StringIO()
    writer = csv_module.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for one in headlines(article, assessments, language):
        writer.writerow({name: "" if value is None else value for name, value in flat(one, language).items()})
    return out.getvalue()


def flat(one: Headline, language: Language) -> dict[str, Any]:
    """A line as plain data, for programs: `value`, `low` and `high` in the unit that `measured` is printed in."""
    shown = one.figure
    return {
        "row": one.row,
        "claim": one.claim,
        "component": one.component,
        "change": one.change,
        "claimed": one.claimed,
        "measure": one.measure,
        "value": shown and shown.value,
        "low": shown and shown.low,
        "high": shown and shown.high,
        "spread": shown and shown.spread,
        "measured": one.measured,
        "published": one.published,
        "verdict": one.word.value,
        "when": condition(one.when, language),
    }
