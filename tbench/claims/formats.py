"""The long form as text, Markdown, CSV or JSON: one function each over the same data. `overview` has the short."""

from __future__ import annotations

import csv as csv_module
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from io import StringIO

from tbench.analysis.run import Run
from tbench.claims import overview
from tbench.claims.assess import Assessment, assess
from tbench.claims.command import commands
from tbench.claims.headline import headlines
from tbench.claims.ladder import Step, ladders
from tbench.claims.loader import article as known_article
from tbench.claims.model import Article, Language, Words
from tbench.claims.render import ClaimLine, Page, page, rule_words
from tbench.store import write_file
from tbench.tables.json import dumps
from tbench.tables.markdown import escaped, pipe_table
from tbench.tables.printable import cell
from tbench.tables.table import Cell, Table
from tbench.tables.text import PROSE, Sheet

COLUMNS = ("component", "original", "improved", "benefit", "measured", "verdict")
EVOLUTION = Words("The whole evolution", "完整演进图")
SUMMARY = Words("In one sentence", "一句话总结")
EVERY = Words("Every claim", "全部论断")
DETAILS = Words("In detail", "详表")
CLAIM_COLUMNS = (
    Words("claim", "编号"),
    Words("what it says", "论断"),
    Words("measured here", "实测"),
    Words("verdict", "判定"),
)
FILES: Mapping[str, Language] = {"table.md": "en", "table.zh.md": "zh"}  # of a run folder
EXPLAIN = Words("How a verdict was reached: --explain C9", "判定依据：--explain C9")


def text(
    article: Article,
    assessments: Sequence[Assessment],
    language: Language,
    runs: Sequence[Run] = (),
    width: int | None = None,
) -> str:
    """For a terminal `width` columns wide; Chinese characters take two."""
    shown = page(article, assessments, language, runs)
    sheet = Sheet(width, colour=False, wide=PROSE)
    for line in (shown.title, *shown.sources):
        sheet.say(line)
    sheet.table(_unmarked(_table(shown)))
    for section in _sections(shown, language):
        sheet.say()
        sheet.table(_unmarked(section), caption="")
    sheet.say()
    sheet.say(EXPLAIN[language])
    return str(sheet)


def _unmarked(table: Table) -> Table:
    """Without the marks around code: a command is copied from here, and they would be folded apart."""
    cells = tuple(tuple(Cell(cell.text.replace("`", "")) for cell in line) for line in table.lines)
    return replace(table, lines=cells)


def markdown(article: Article, assessments: Sequence[Assessment], language: Language, runs: Sequence[Run] = ()) -> str:
    """`table.md`: the headline table, the long one, then what stands around it and every claim."""
    shown = page(article, assessments, language, runs)
    parts = [f"# {escaped(shown.title)}", *map(escaped, shown.sources)]
    parts.append(pipe_table(overview.table(headlines(article, assessments, language), language)))
    parts += [f"## {DETAILS[language]}", pipe_table(_table(shown))]
    for section in _sections(shown, language):
        parts += [f"## {escaped(section.caption)}", pipe_table(section)]
    return "\n\n".join(parts) + "\n"


def csv(article: Article, assessments: Sequence[Assessment], language: Language, runs: Sequence[Run] = ()) -> str:
    """The table alone: its id, the article's columns, what was measured, the verdict in words and in one word."""
    shown = page(article, assessments, language, runs)
    out = StringIO()
    writer = csv_module.writer(out, lineterminator="\n")
    writer.writerow(["id", *_cells(shown.headings), "overall"])
    for line in shown.lines:
        writer.writerow([line.id, *map(cell, _cells(line.cells)), line.verdict.value])
    return out.getvalue()


def json(article: Article, assessments: Sequence[Assessment], language: Language, runs: Sequence[Run] = ()) -> str:
    """Everything, for programs: rows, claims, regimes and observations in full precision."""
    shown = page(article, assessments, language, runs)
    document = {
        "title": shown.title,
        "measured": list(shown.sources),
        "headings": dict(shown.headings),
        "headline": [overview.flat(one, language) for one in headlines(article, assessments, language)],
        "rows": [
            {"id": line.id, **line.cells, "overall": line.verdict.value, "claims": list(line.claims)}
            for line in shown.lines
        ],
        "ladders": [
            {"phase": one.phase, "sizes": dict(one.sizes), "steps": [_step(step) for step in one.steps]}
            for one in ladders(runs)
        ],
        "claims": [_whole(one, line, language) for one, line in zip(assessments, shown.claims, strict=True)],
    }
    return dumps(document)


def _step(step: Step) -> dict[str, object]:
    return {
        "step": step.name,
        "time": step.time and step.time.value,
        "total": step.total and step.total.value,
        "total_low": step.total and step.total.low,
        "total_high": step.total and step.total.high,
        "memory": step.memory,
    }


def _whole(assessment: Assessment, line: ClaimLine, language: Language) -> dict[str, object]:
    claim = assessment.claim
    return {
        "id": claim.id,
        "row": claim.row,
        "says": line.says,
        "source": claim.source[language],
        "mark": claim.mark,
        "verdict": line.verdict.value,
        "told": line.told,
        "regimes": [
            {
                "name": result.regime.name.en,
                "headline": result.regime.headline,
                "measure": result.regime.measure,
                "rule": rule_words(result),
                "verdict": result.verdict.value,
                "observations": [
                    {
                        "point": dict(one.observation.point),
                        "value": one.observation.estimate.value,
                        "low": one.observation.estimate.low,
                        "high": one.observation.estimate.high,
                        "n": one.observation.estimate.n,
                        "unit": one.observation.estimate.unit,
                        "verdict": one.judgement.verdict.value,
                        "note": one.judgement.note[language],
                        "more": one.judgement.more,
                        "notes": [note[language] for note in one.observation.notes],
                        "cases": list(one.observation.cases),
                    }
                    for one in result.judged
                ],
                "missing": [{"case": one.case, "why": one.why[language]} for one in result.missing],
                "commands": commands(result),
            }
            for result in assessment.results
        ],
        "published": [vars(one) for one in claim.published],
    }


def _cells(cells: Mapping[str, str]) -> list[str]:
    return [cells[name] for name in COLUMNS]


def _table(shown: Page) -> Table:
    return Table.of_words(_cells(shown.headings), [_cells(line.cells) for line in shown.lines])


def _sections(shown: Page, language: Language) -> list[Table]:
    """What stands below the table, in the article's order: the evolution and its steps, the summary, every claim."""
    headings = [words[language] for words in CLAIM_COLUMNS]

    def section(title: Words, lines: Sequence[ClaimLine]) -> Table:
        return Table.of_words(
            headings, [(line.id, line.says, line.measured, line.told) for line in lines], title[language]
        )

    evolution, summary = shown.around("evolution"), shown.around("summary")
    return [
        *([section(EVOLUTION, evolution)] if evolution else []),
        *shown.ladders,
        *([section(SUMMARY, summary)] if summary else []),
        section(EVERY, shown.claims),
    ]


Make = Callable[[Article, Sequence[Assessment], Language, Sequence[Run]], str]
FORMATS: Mapping[str, Make] = {"text": overview.text, "md": overview.markdown, "csv": overview.csv, "json": json}
DETAILED: Mapping[str, Make] = {"text": text, "md": markdown, "csv": csv, "json": json}


def write_table(run: Run) -> list[Assessment]:
    """Write `table.md` and `table.zh.md` into the run folder, in place of older ones, where the run says something of
    a claim. Returns what it says of each: nothing where there is none to judge. Raises StoreError."""
    known = known_article()
    assessments = assess(known, [run])
    if not any(regime.judged for one in assessments for regime in one.results):
        return []
    for name, language in FILES.items():
        write_file(run.folder / name, markdown(known, assessments, language, [run]))
    return assessments
