"""The page of a gate: the verdict on every case, as a ratio with its interval against the tolerance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tbench.charts.ratios import RATIO, Judged, short, verdicts
from tbench.claims.model import Words
from tbench.comparison.model import Verdict
from tbench.gate import text
from tbench.gate.outcome import FAILING, Outcome, Result
from tbench.page import words
from tbench.page.compared import REASON, VERDICT, VERDICTS
from tbench.page.document import Cases, Column, Document, html, section
from tbench.tables.table import Tone

HEADLINES: Mapping[int, str] = {0: "通过。", 1: "性能回归。", 3: "无法判定。", 4: "有用例失败。"}


def render(result: Result) -> str:
    """The whole page."""
    return html(document(result))


def document(result: Result) -> Document:
    outcomes = result.outcomes
    names = short([one.case for one in outcomes])
    judged = [Judged(name, one.case, str(one.verdict), one.ratio) for name, one in zip(names, outcomes, strict=True)]
    summary = f"{text.summary(result)}. {text.control(result)}."
    return Document(
        title=result.scenario,
        kind=words.GATE,
        about=(f"{result.base} → {result.new}",),
        summary=(Words(text.headline(result), HEADLINES[result.exit_code]), Words(summary, summary)),
        sections=tuple(section("verdicts", VERDICTS, verdicts(judged, result.tolerance))),
        cases=_cases(outcomes, names),
        facts=(
            (words.fact("base"), result.base),
            (words.fact("new"), result.new),
            *((words.fact(label), str(value)) for label, value in result.environment.items() if _tellable(value)),
        ),
        warnings=tuple(result.notes),
    )


def _tellable(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _cases(outcomes: Sequence[Outcome], names: Sequence[str]) -> Cases:
    told = tuple(str(one.verdict) for one in outcomes)
    old, new = (tuple(getattr(one, f"{side}_seconds") for one in outcomes) for side in ("base", "new"))
    return Cases(
        (
            Column("case", words.INTERFACE["case"], tuple(names), tuple(names), right=False),
            Column("verdict", VERDICT, told, told, right=False, tones=tuple(map(_tone, outcomes))),
            Column(
                "ratio",
                RATIO,
                tuple(one.ratio.estimate if one.ratio else None for one in outcomes),
                tuple(map(text.ratio, outcomes)),
            ),
            Column(
                "seconds",
                Words("time per call", "每次调用时间"),
                tuple(n or o for o, n in zip(old, new, strict=True)),
                tuple(map(text.times, outcomes)),
            ),
            Column(
                "bytes",
                Words("peak memory", "内存峰值"),
                tuple(one.new_bytes for one in outcomes),
                tuple(map(text.memory, outcomes)),
            ),
            Column(
                "reason",
                REASON,
                tuple(one.reason for one in outcomes),
                tuple(one.reason for one in outcomes),
                right=False,
            ),
        ),
        tuple(one.case for one in outcomes),
        told,
        tuple(f"{one.file}:{one.line or 1}" if one.file else "" for one in outcomes),
        ("",) * len(outcomes),
        ("",) * len(outcomes),
    )


def _tone(one: Outcome) -> Tone:
    if one.verdict in FAILING:
        return "quiet" if FAILING[one.verdict] == 3 else "bad"
    return "good" if one.verdict == Verdict.FASTER else "quiet" if one.verdict == Verdict.SKIPPED else ""
