"""What a suite prints at its end, on one screen: the headline table, the ladder, what is open, where everything is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tbench.analysis.run import Run
from tbench.claims import overview
from tbench.claims.assess import Assessment
from tbench.claims.command import commands as again
from tbench.claims.command import deciding
from tbench.claims.headline import OPEN, Word, chosen, judging, word_of
from tbench.claims.model import Article, Language, Words
from tbench.claims.waterfall import chart
from tbench.tables.printable import printable
from tbench.tables.text import Sheet

MOST = 6  # claims whose open points are listed
LEFT_OPEN = Words("Still open, and the command that would settle it:", "尚未判定的论断，以及用于判定的命令：")
MORE = Words("and {n} more: tbench table --details", "另有{n}项：tbench table --details")
POINTS = Words("{n} open", "{n}处未定")
UNMEASURED = Words("not measured: {names}", "未测量：{names}")
FULLY_TRAINED = Words("trained in full: only further seeds could decide it", "已完整训练：需要更多随机种子才能判定")
FILES = (("report.md", Words("report", "报告")), ("table.md", Words("table", "表格")))
PAGE = Words("page", "网页")


@dataclass(frozen=True)
class Undecided:
    """What is open of a promise, in words, and the commands that would decide it."""

    about: str
    commands: tuple[str, ...]


def ending(
    article: Article, assessments: Sequence[Assessment], run: Run, language: Language, width: int | None = None
) -> str:
    """At most 60 lines where lines are 100 columns wide."""
    sheet = Sheet(width, wide=overview.WIDTH)
    overview.write(sheet, article, assessments, language, [run])
    ladder = chart([run], language)
    if ladder is not None:
        sheet.say()
        sheet.table(ladder, caption="loud")
    undecided = list(left_open(article, assessments, language))
    if undecided:
        sheet.say()
        sheet.say(LEFT_OPEN[language], "loud")
        for one in undecided[:MOST]:
            sheet.say(f"  {one.about}")
            sheet.lines += [f"    {printable(command)}" for command in one.commands]  # to be copied: never folded
        if len(undecided) > MOST:
            sheet.say(f"  {MORE[language].format(n=len(undecided) - MOST)}")
    sheet.say()
    sheet.lines += map(printable, paths(run.folder, language))
    return str(sheet)


def left_open(article: Article, assessments: Sequence[Assessment], language: Language) -> Iterator[Undecided]:
    """Of every promise of the table: those that nothing decides first."""
    known = {one.claim.id: one for one in assessments}
    found: list[tuple[bool, Undecided]] = []
    for row in article.rows:
        for promise in row.promises:
            assessment = known[promise.claim]
            results = chosen(assessment.headline, promise)
            points = [one for result in results for one in result.judged if one.judgement.verdict in OPEN]
            missing = [result for result in results if not result.judged]
            if not points and not missing:
                continue
            about = f"{row.short[language]}, {promise.claimed[language]} ({promise.claim}): "
            said = [POINTS[language].format(n=len(points))] if points else []
            if missing:
                names = ", ".join(one.regime.name[language] for one in missing)
                said.append(UNMEASURED[language].format(names=names))
            commands = [*deciding(points), *(command for one in missing for command in again(one))]
            decided = word_of(judging(assessment, promise)) is not Word.OPEN
            unseen = dict.fromkeys(one.judgement.note[language] for one in points if one.judgement.guarded)
            said += list(unseen) or ([] if commands else [FULLY_TRAINED[language]])
            found.append((decided, Undecided(about + "; ".join(said), tuple(dict.fromkeys(commands)))))
    return (one for _, one in sorted(found, key=lambda one: one[0]))


def paths(folder: Path, language: Language) -> Iterator[str]:
    """Where the report, the table and the page are, as far as they are there."""
    for name, words in FILES:
        if (folder / name).exists():
            yield f"{words[language]}: {folder / name}"
    for page in sorted(folder.glob("*.html")):
        yield f"{PAGE[language]}: {page}"
