"""The article's comparison table at the head of a page, in both languages, where the run says something of a claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tbench.analysis.run import Run
from tbench.claims import Assessment, article, assess
from tbench.claims.formats import CLAIM_COLUMNS, COLUMNS, EVERY
from tbench.claims.model import LANGUAGES, Article, Language, Words
from tbench.claims.render import page
from tbench.claims.verdict import Verdict
from tbench.page.document import Grid, Mark
from tbench.tables.table import Cell, Column, Table, Tone

MARKS: Mapping[Verdict, tuple[str, Tone]] = {
    Verdict.CONFIRMED: ("✓", "good"),
    Verdict.PARTLY: ("~", "loud"),
    Verdict.NO_EFFECT: ("✗", "bad"),
    Verdict.REFUTED: ("✗", "bad"),
    Verdict.INCONCLUSIVE: ("?", "quiet"),
    Verdict.NOT_MEASURED: ("?", "quiet"),
}


def headline(run: Run) -> list[Grid]:
    """The table of seven rows, and every claim, folded; nothing where no claim has an observation."""
    known = article()
    assessments = assess(known, [run])
    if not any(regime.judged for one in assessments for regime in one.results):
        return []
    rows, claims = ([table(known, assessments, language, run) for language in LANGUAGES] for table in (_rows, _claims))
    return [of_tables(rows), of_tables(claims, folded=True)]


def of_tables(tables: Sequence[Table], folded: bool = False) -> Grid:
    """The same table in English and Chinese as one."""
    english, chinese = tables
    return Grid(
        Words(english.caption, chinese.caption),
        tuple(Words(one.name, other.name) for one, other in zip(english.columns, chinese.columns, strict=True)),
        tuple(
            tuple(Mark(Words(one.text, other.text), one.tone) for one, other in zip(*lines, strict=True))
            for lines in zip(english.lines, chinese.lines, strict=True)
        ),
        folded,
    )


def _rows(known: Article, assessments: Sequence[Assessment], language: Language, run: Run) -> Table:
    shown = page(known, assessments, language, [run])
    return Table(
        tuple(Column(shown.headings[name], right=False) for name in COLUMNS),
        tuple(
            (*(Cell(one.cells[name]) for name in COLUMNS[:-1]), _verdict(one.verdict, one.cells[COLUMNS[-1]]))
            for one in shown.lines
        ),
        shown.title,
    )


def _claims(known: Article, assessments: Sequence[Assessment], language: Language, run: Run) -> Table:
    shown = page(known, assessments, language, [run])
    return Table(
        tuple(Column(words[language], right=False) for words in CLAIM_COLUMNS),
        tuple(
            (Cell(one.id), Cell(one.says), Cell(one.measured), _verdict(one.verdict, one.told)) for one in shown.claims
        ),
        EVERY[language],
    )


def _verdict(verdict: Verdict, words: str) -> Cell:
    mark, tone = MARKS[verdict]
    return Cell(f"{mark} {words}", tone)
