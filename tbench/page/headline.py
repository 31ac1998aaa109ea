"""The article's comparison table: at the head of a run's page, in both languages, and as a page of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tbench.analysis.run import Run
from tbench.charts import look
from tbench.claims import Assessment, article, assess, overview
from tbench.claims.formats import CLAIM_COLUMNS, EVERY
from tbench.claims.headline import headlines
from tbench.claims.model import LANGUAGES, Article, Language, Words
from tbench.claims.render import page
from tbench.claims.verdict import Verdict
from tbench.page.document import Grid, Mark, read, template
from tbench.tables.table import Cell, Column, Table, Tone

MARKS: Mapping[Verdict, tuple[str, Tone]] = {
    Verdict.CONFIRMED: ("✓", "good"),
    Verdict.PARTLY: ("~", "loud"),
    Verdict.NO_EFFECT: ("✗", "bad"),
    Verdict.REFUTED: ("✗", "bad"),
    Verdict.INCONCLUSIVE: ("?", "quiet"),
    Verdict.NOT_MEASURED: ("?", "quiet"),
}


def render(known: Article, assessments: Sequence[Assessment], language: Language, runs: Sequence[Run]) -> str:
    """The table and every claim as a page without scripts. Raises UsageError where a library for it is missing."""
    made: str = template("table.html.j2").render(
        title=known.title[language],
        sources=page(known, assessments, language, runs).sources,
        tables=[make(known, assessments, language, runs) for make in (_rows, _claims)],
        language=language,
        style=read("page.css"),
        palettes={"light": look.PAPER, "dark": look.NIGHT},
    )
    return made


def headline(run: Run, assessments: Sequence[Assessment] | None = None) -> list[Grid]:
    """The table of seven rows, and every claim, folded; nothing where no claim has an observation. `assessments`: what
    the run says of the claims, where that is known already."""
    known = article()
    if assessments is None:
        assessments = assess(known, [run])
    if not any(regime.judged for one in assessments for regime in one.results):
        return []
    rows, claims = (
        [table(known, assessments, language, [run]) for language in LANGUAGES] for table in (_rows, _claims)
    )
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


def _rows(known: Article, assessments: Sequence[Assessment], language: Language, runs: Sequence[Run]) -> Table:
    """As `tbench table` prints it, with all of each condition."""
    lines = headlines(known, assessments, language)
    return replace(overview.table(lines, language), caption=known.title[language])


def _claims(known: Article, assessments: Sequence[Assessment], language: Language, runs: Sequence[Run]) -> Table:
    shown = page(known, assessments, language, runs)
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
