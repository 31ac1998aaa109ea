"""The article's comparison table at the head of a page, in both languages, where the run says something of a claim."""

from __future__ import annotations

from collections.abc import Mapping

from tbench.analysis.run import Run
from tbench.claims import article, assess
from tbench.claims.formats import CLAIM_COLUMNS, COLUMNS, EVERY
from tbench.claims.model import Words
from tbench.claims.render import page
from tbench.claims.verdict import Verdict
from tbench.page.document import Grid, Mark
from tbench.tables.table import Tone

TONES: Mapping[Verdict, Tone] = {
    Verdict.CONFIRMED: "good",
    Verdict.REFUTED: "bad",
    Verdict.NO_EFFECT: "bad",
    Verdict.PARTLY: "loud",
    Verdict.INCONCLUSIVE: "quiet",
    Verdict.NOT_MEASURED: "quiet",
}


def headline(run: Run) -> list[Grid]:
    """The table of seven rows, and every claim, folded; nothing where no claim has an observation."""
    known = article()
    assessments = assess(known, [run])
    if not any(regime.judged for one in assessments for regime in one.results):
        return []
    english, chinese = (page(known, assessments, language, [run]) for language in ("en", "zh"))
    rows = Grid(
        Words(english.title, chinese.title),
        tuple(Words(english.headings[name], chinese.headings[name]) for name in COLUMNS),
        tuple(
            tuple(
                Mark(Words(one.cells[name], other.cells[name]), TONES[one.verdict] if name == "verdict" else "")
                for name in COLUMNS
            )
            for one, other in zip(english.lines, chinese.lines, strict=True)
        ),
    )
    claims = Grid(
        EVERY,
        CLAIM_COLUMNS,
        tuple(
            (
                Mark(Words(one.id, other.id)),
                Mark(Words(one.says, other.says)),
                Mark(Words(one.measured, other.measured)),
                Mark(Words(one.told, other.told), TONES[one.verdict]),
            )
            for one, other in zip(english.claims, chinese.claims, strict=True)
        ),
        folded=True,
    )
    return [rows, claims]
