"""The page of a comparison: every case of two runs, with its ratio against the tolerance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tbench.charts.ratios import RATIO, Judged, verdicts
from tbench.charts.run import short_names
from tbench.claims.model import Words
from tbench.comparison import facts
from tbench.comparison.grid import Grid
from tbench.comparison.model import Compared, Comparison, Verdict
from tbench.comparison.table import TONES
from tbench.page import words
from tbench.page.document import Cases, Column, Document, html, section
from tbench.records import Value
from tbench.tables import units
from tbench.tables.table import Tone

VERDICT = Words("verdict", "判定")
VERDICTS = Words("Verdicts", "判定")
REASON = Words("why", "原因")


def render(comparison: Comparison, grids: Sequence[Grid] = ()) -> str:
    """The whole page; grids are for a terminal, the page's table can be sorted and filtered instead."""
    return html(document(comparison))


def document(comparison: Comparison) -> Document:
    rows = comparison.rows
    names = short_names([row.case for row in rows])
    judged = [
        Judged(name, row.case.id, str(row.verdict or ""), row.ratio) for name, row in zip(names, rows, strict=True)
    ]
    summary = facts.summary(comparison)
    conditions = [Words(sentence, sentence) for sentence in facts.conditions(comparison)]
    return Document(
        title=facts.title(comparison),
        kind=words.COMPARISON,
        about=(f"{comparison.base.folder} → {comparison.new.folder}",),
        summary=(Words(summary, summary), *conditions),
        sections=tuple(section("verdicts", VERDICTS, verdicts(judged, comparison.tolerance))),
        cases=_cases(rows, names),
        facts=tuple((words.fact(side), told) for side, told in facts.sides(comparison)),
        warnings=comparison.warnings,
        method=(_rule(comparison),),
    )


def _rule(comparison: Comparison) -> Words:
    limit, alpha = facts.percent(comparison.tolerance), facts.percent(comparison.alpha)
    return Words(
        facts.rule(comparison),
        f"比值为新/基线时间，附95%置信区间。SLOWER与FASTER表示超出{limit}，全部用例中出现任何误报SLOWER的概率不超过{alpha}；"
        f"OK表示区间上限低于{1 + comparison.tolerance:.4g}×。",
    )


def _cases(rows: Sequence[Compared], names: Sequence[str]) -> Cases:
    def column(
        name: str,
        heading: Words,
        value: Callable[[Compared], Value | None],
        shown: Callable[[Compared], str],
        tone: Callable[[Compared], Tone] | None = None,
        right: bool = True,
    ) -> Column:
        tones = tuple(map(tone, rows)) if tone else ()
        return Column(name, heading, tuple(map(value, rows)), tuple(map(shown, rows)), right, tones)

    return Cases(
        (
            Column("case", words.INTERFACE["case"], tuple(names), tuple(names), right=False),
            column("verdict", VERDICT, _verdict, _verdict, _tone, right=False),
            column(
                "ratio",
                RATIO,
                lambda row: row.ratio.estimate if row.ratio else None,
                lambda row: units.times(row.ratio) if row.ratio else "",
            ),
            column("base_ms", Words("base", "基线"), lambda row: _ms(row, "base"), lambda row: _time(row, "base")),
            column("new_ms", Words("new", "新版本"), lambda row: _ms(row, "new"), lambda row: _time(row, "new")),
            column(
                "base_bytes",
                Words("base memory", "基线内存"),
                lambda row: _bytes(row, "base"),
                lambda row: _size(row, "base"),
            ),
            column(
                "new_bytes",
                Words("new memory", "新版本内存"),
                lambda row: _bytes(row, "new"),
                lambda row: _size(row, "new"),
            ),
        ),
        tuple(row.case.id for row in rows),
        tuple(_verdict(row) or "–" for row in rows),
        tuple("\n".join(reason.text for reason in row.reasons) for row in rows),
        ("",) * len(rows),
        ("",) * len(rows),
    )


def _verdict(row: Compared) -> str:
    return " ".join(filter(None, (row.verdict, row.memory)))


def _tone(row: Compared) -> Tone:
    if row.memory == Verdict.BIGGER:
        return "bad"
    return "quiet" if row.verdict is None else TONES.get(row.verdict, "")


def _ms(row: Compared, side: str) -> float | None:
    one = getattr(row, side)
    return one.latency.estimate * 1e3 if one is not None and one.latency is not None else None


def _time(row: Compared, side: str) -> str:
    one = getattr(row, side)
    if one is None or one.latency is None:
        return "" if one is None or one.status == "ok" else str(one.status)
    return units.duration(one.latency)


def _bytes(row: Compared, side: str) -> int | None:
    one = getattr(row, side)
    return None if one is None else one.peak_memory_bytes


def _size(row: Compared, side: str) -> str:
    count = _bytes(row, side)
    return "" if count is None else units.size(count)
