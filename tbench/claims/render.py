"""The comparison table and what stands below it, as plain data, in one language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tbench.analysis.clocks import by_the_old_clock
from tbench.analysis.run import Run
from tbench.claims.assess import Assessment, RegimeResult
from tbench.claims.command import commands
from tbench.claims.ladder import FIRST, LAST, Ladder, Step, ladders, learned
from tbench.claims.model import MARKS, Article, Language, TableRow, Words
from tbench.claims.observation import Missing
from tbench.claims.places import label_words
from tbench.claims.verdict import Verdict, combine
from tbench.claims.words import COUNTED, VERDICTS, amount, note_words, said, span, verdict_words
from tbench.store.same import SAME_MACHINE
from tbench.tables.numbers import fixed
from tbench.tables.table import Table

BAR = 24  # characters of the longest bar
STEPS = Words("Step by step: ", "逐步演进：")
PHASES: Mapping[str, Words] = {
    "forward_backward": Words("a training step", "单步训练"),
    "forward": Words("a prompt (prefill)", "预填充"),
    "decode": Words("one token (decode)", "解码一个词元"),
}
WITH_FLASH = "2024 (+flash)"  # the last step's own improvement
STEP_COLUMNS = (
    Words("step", "步骤"),
    Words("speed-up of this step", "此步加速"),
    Words("speed-up since 2017", "累计加速"),
    Words("peak memory since 2017", "内存峰值（较2017）"),
    Words("", ""),
)
LOSS = Words("Step by step: held-out loss of small models at equal parameters", "逐步演进：相同参数量小模型的验证损失")
LOSS_COLUMNS = (Words("step", "步骤"), Words("nats per byte", "每字节nats"), Words("change by this step", "此步变化"))
NO_FIGURE = Words("no figure: {reasons}", "无数据：{reasons}")
NOT_MEASURED = Words("not measured: run `{command}`", "未测量：运行 `{command}`")
PACES = ("quick", "rigorous")
MEASURED = Words("{machine}, {threads} threads, torch {torch}, {day} ({scenario})",
                 "{machine}，{threads}线程，torch {torch}，{day}（{scenario}）")  # fmt: skip
UNLIKE = Words(
    "These runs come from different machines or software. Where two measured the same case, the later one on the "
    "command line is used; compare rows with care.",
    "这些运行来自不同的机器或软件。同一用例以命令行中靠后的运行为准；比较时请谨慎。",
)
UNFINISHED = Words("not complete: {status}", "未完成：{status}")
HOST_INCLUDED = Words("host included in times under 3 ms", "3毫秒以下的时间包含主机开销")


@dataclass(frozen=True)
class Line:
    """A row of the table: a text for each of the article's columns, then `measured` and `verdict`."""

    id: str
    cells: Mapping[str, str]
    verdict: Verdict
    claims: tuple[str, ...]


@dataclass(frozen=True)
class ClaimLine:
    """A claim in a line."""

    id: str
    row: str
    says: str
    measured: str
    verdict: Verdict
    told: str


@dataclass(frozen=True)
class Page:
    """Everything that `tbench table` prints: the table, and below it the evolution, the summary and every claim.

    `sources`: what was measured where, a line for each run.
    """

    title: str
    sources: tuple[str, ...]
    headings: Mapping[str, str]
    lines: tuple[Line, ...]
    claims: tuple[ClaimLine, ...]
    ladders: tuple[Table, ...]

    def around(self, row: str) -> list[ClaimLine]:
        """The claims beside the table: `summary`, `evolution`."""
        return [line for line in self.claims if line.row == row]


def page(article: Article, assessments: Sequence[Assessment], language: Language, runs: Sequence[Run] = ()) -> Page:
    """The article's table with what was measured and its verdicts. `runs`: what the assessments are of."""
    known = {one.claim.id: one for one in assessments}
    return Page(
        article.title[language],
        tuple(sources(runs, language)),
        {name: words[language] for name, words in article.columns.items()},
        tuple(_line(row, [known[id] for id in row.judged_by], language) for row in article.rows),
        tuple(claim_line(one, language) for one in assessments),
        tuple(_ladders(runs, language)),
    )


def sources(runs: Sequence[Run], language: Language) -> Iterator[str]:
    """`AMD EPYC, 2 threads, torch 2.13.0, 2026-11-26 (document, quick)`."""
    for run in runs:
        here, header = run.environment, run.header
        scenario = [str((header.get("scenario") or {}).get("name") or run.folder.name)]
        scenario += [pace for pace in PACES if f"--{pace}" in (header.get("command") or ())]
        scenario += [f"seed {header['seed']}"] if header.get("seed") else []
        if header.get("status") != "complete":
            scenario.append(UNFINISHED[language].format(status=header.get("status")))
        if any(by_the_old_clock(measurement) for measurement in run.measurements):
            scenario.append(HOST_INCLUDED[language])
        yield MEASURED[language].format(
            machine=here.device_name,
            threads=here.threads,
            torch=here.torch,
            day=str(header.get("started", ""))[:10],
            scenario=", ".join(scenario),
        )
    if len({tuple(str(getattr(run.environment, field)) for field in SAME_MACHINE) for run in runs}) > 1:
        yield UNLIKE[language]


def _ladders(runs: Sequence[Run], language: Language) -> Iterator[Table]:
    for one in ladders(runs):
        yield Table.of_words(
            [words[language] for words in STEP_COLUMNS],
            [_rung(step, one) for step in one.steps],
            f"{STEPS[language]}{PHASES[one.phase][language]} ({label_words(one.sizes)})",
        )
    losses = learned(runs)
    if losses:
        yield Table.of_words(
            [words[language] for words in LOSS_COLUMNS],
            [
                (rung(one.name), f"{one.loss:.3f}", amount("loss_difference", one.gain, language) if one.gain else "")
                for one in losses
            ],
            LOSS[language],
        )


def rung(name: str) -> str:
    return WITH_FLASH if name == LAST else name


def _rung(step: Step, ladder: Ladder) -> tuple[str, ...]:
    """A bar is as long as the step is faster than 2017; none where that could not be had."""
    longest = max([1.0, *(one.total.value for one in ladder.steps if one.total)])
    total = 1.0 if step.name == FIRST else step.total.value if step.total else 0.0
    return (
        rung(step.name),
        amount("speedup", step.time) if step.time else "",
        amount("speedup", step.total) if step.total else "",
        f"÷ {fixed(step.memory, 2)}" if step.memory else "",
        "█" * round(BAR * total / longest),
    )


def _line(row: TableRow, judged: Sequence[Assessment], language: Language) -> Line:
    cells = {name: getattr(row, name)[language] for name in ("component", "original", "improved", "benefit")}
    several = len(judged) > 1
    between = "; " if language == "en" else "；"
    for name, told in (("measured", measured_words), ("verdict", verdict_words)):
        cells[name] = between.join(
            f"{one.claim.id} {told(one, language)}" if several else told(one, language) for one in judged
        )
    return Line(row.id, cells, combine(one.verdict for one in judged), row.judged_by)


def claim_line(assessment: Assessment, language: Language) -> ClaimLine:
    claim = assessment.claim
    return ClaimLine(
        claim.id,
        claim.row,
        claim.says[language],
        measured_words(assessment, language),
        assessment.verdict,
        verdict_words(assessment, language),
    )


def measured_words(assessment: Assessment, language: Language) -> str:
    """The figures of the regimes that the verdict's line tells; where there are none, the command to get them."""
    shown = []
    for result in assessment.told:
        if result.judged:
            values = span(result.regime.measure, [one.observation.estimate for one in result.judged], language)
            shown.append(f"{result.regime.name[language]} {values}")
    if shown:
        return (", " if language == "en" else "，").join(shown)
    left = [one for result in assessment.headline for one in result.missing]
    if all(result.missing for result in assessment.headline) and all(one.tried for one in left):
        return NO_FIGURE[language].format(reasons=(", " if language == "en" else "，").join(_by_reason(left, language)))
    command = commands(assessment.headline[0])[0]
    return NOT_MEASURED[language].format(command=command)


def explain(assessment: Assessment, language: Language) -> str:
    """How a verdict came about: every regime with intervals, published figures, cases used and the command."""
    return "\n".join(_explained(assessment, language)) + "\n"


def _explained(assessment: Assessment, language: Language) -> Iterator[str]:
    claim, english = assessment.claim, language == "en"
    yield f"{claim.id}  {claim.says[language]}"
    where = f"{claim.source[language]}: {claim.quoted}" if claim.quoted else claim.source[language]
    yield f"{'source' if english else '出处'}: {where} ({claim.mark}: {MARKS[claim.mark][language]})"
    yield f"{'verdict' if english else '判定'}: {verdict_words(assessment, language)}"
    if claim.remark:
        yield claim.remark[language]
    for result in assessment.results:
        yield ""
        yield from _regime(result, language)
    published = [one for one in claim.published if one.mark == "V"]
    if published:
        yield ""
        yield "published elsewhere, on other hardware:" if english else "他处发表的数字（硬件不同）："
        for one in published:
            yield f"  {one.figure} — {one.source}; {'hardware' if english else '硬件'}: {one.hardware}"


def _regime(result: RegimeResult, language: Language) -> Iterator[str]:
    regime, english = result.regime, language == "en"
    aside = "" if regime.headline else (" (reported alongside)" if english else "（附带）")
    yield f"{regime.name[language]}{aside}: {said([result], language)}"
    yield f"  {'required' if english else '要求'}: {regime.measure}, {rule_words(result)}"
    for one in result.judged:
        estimate = one.observation.estimate
        words = [amount(regime.measure, estimate, language), VERDICTS[one.judgement.verdict][language]]
        note = note_words(one.judgement, estimate, language)
        n = f"{estimate.n} {COUNTED[estimate.unit][language]}" if estimate.unit in COUNTED else ""
        label = label_words(one.label)
        told = ", ".join([*words, *([note] if note else []), *([n] if n else [])])
        yield f"  {label + ': ' if label else ''}{told}"
        for said_too in one.observation.notes:
            yield f"    {said_too[language]}"
    for why, left_out in _by_reason(result.missing, language).items():
        more = "" if len(left_out) == 1 else (f" (+{len(left_out) - 1})")
        yield f"  {'no figure' if english else '无数据'}: {why}: {left_out[0]}{more}"
    cases = list(dict.fromkeys(case for one in result.judged for case in one.observation.cases))
    if cases:
        yield f"  {'cases' if english else '用例'}:"
        yield from (f"    {case}" for case in cases)
    again = ("measure it again" if english else "重新测量") if cases else ("measure it" if english else "测量")
    for command in commands(result):
        yield f"  {again}: {command}"


def _by_reason(missing: Sequence[Missing], language: Language) -> Mapping[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for one in missing:
        reasons.setdefault(one.why[language], []).append(one.case)
    return reasons


def rule_words(result: RegimeResult) -> str:
    """A rule with its values: `range low=2 high=4 neutral=1`."""
    rule = result.regime.rule
    words = [re.sub("(?<!^)(?=[A-Z])", " ", type(rule).__name__).lower()]
    for name, value in vars(rule).items():
        if isinstance(value, bool):
            words += [name] if value else []
        elif value is not None:
            words.append(f"{name}={value:g}")
    return " ".join(words)
