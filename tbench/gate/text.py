"""A gate's result as it is read: one line per case, Markdown for a pull request, annotations at the scenario's line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

from tbench.comparison.model import Verdict
from tbench.gate.outcome import FAILING, Outcome, Result
from tbench.tables import units
from tbench.tables.markdown import escaped, pipe_table
from tbench.tables.printable import printable
from tbench.tables.table import Cell, Column, Table

ANNOTATIONS = 10  # that GitHub shows of a step
WIDTH = max(len(verdict) for verdict in Verdict)
MARKS = {
    Verdict.OK: "✓",
    Verdict.FASTER: "✓",
    Verdict.ADDED: "+",
    Verdict.SKIPPED: "–",
    Verdict.INCONCLUSIVE: "?",
    Verdict.MISSING: "?",
}
CONTROL = {Verdict.OK: "passed", Verdict.SLOWER: "failed", Verdict.FASTER: "failed"}
COLUMNS = (
    Column("verdict", right=False),
    Column("case", right=False),
    Column("new ÷ base time"),
    Column("time per call"),
    Column("peak memory"),
    Column("why", right=False),
)


def line(one: Outcome) -> str:
    """`SLOWER        1.12× [1.09, 1.15]  12.3 ms → 13.8 ms  attention/forward … : reason`."""
    reason = " ".join(one.reason.split())
    words = f"{one.case}: {reason}" if reason else one.case
    return "  ".join(filter(None, (f"{one.verdict:{WIDTH}}", ratio(one), times(one), printable(words))))


def ratio(one: Outcome) -> str:
    return units.times(one.ratio) if one.ratio else ""


def times(one: Outcome) -> str:
    if one.base_seconds is None or one.new_seconds is None:
        return "" if one.new_seconds is None else units.duration_of(one.new_seconds)
    return f"{units.duration_of(one.base_seconds)} → {units.duration_of(one.new_seconds)}"


def memory(one: Outcome) -> str:
    if one.base_bytes is None or one.new_bytes is None:
        return "" if one.new_bytes is None else units.size(one.new_bytes)
    old, new = units.size(one.base_bytes), units.size(one.new_bytes)
    return old if one.base_bytes == one.new_bytes else f"{old} → {new}"


def summary(result: Result) -> str:
    """`5 cases: 1 SLOWER, 4 OK. Tolerance 5%; at most 1% false-alarm probability for the whole run`."""
    counts = Counter(one.verdict for one in result.outcomes)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    number = len(result.outcomes)
    return (
        f"{units.counted(number, 'case')}: {verdicts}. Tolerance {100 * result.tolerance:.3g}%, at most "
        f"{100 * result.alpha:.3g}% false-alarm probability for the whole run"
    )


def control(result: Result) -> str:
    """What the base against itself showed, or what stands in its place."""
    one = result.control
    if one is None:
        return "canaries instead of an A/A control" if result.stored else "no A/A control: no case could be compared"
    return f"A/A control {CONTROL.get(one.verdict, 'inconclusive')}: base vs. base {ratio(one)}"


def markdown(result: Result, limit: int | None = None) -> str:
    """For `$GITHUB_STEP_SUMMARY`, a merge request's comment, or a file.

    `limit`: in bytes. Where not all cases fit, the worst come first, and it is said where the others are.
    """
    whole = _markdown(result, pipe_table(table(result.outcomes)))
    if limit is None or len(whole.encode()) <= limit:
        return whole
    heading, rule, *rows = pipe_table(table(worst_first(result.outcomes))).splitlines()
    room = limit - len(_markdown(result, f"{heading}\n{rule}", left_out=len(rows)).encode())
    sizes = accumulate(len(row.encode()) + 1 for row in rows)
    kept = sum(size <= room for size in sizes)
    return _markdown(result, "\n".join([heading, rule, *rows[:kept]]), left_out=len(rows) - kept)


def _markdown(result: Result, cases: str, left_out: int = 0) -> str:
    more = f"The worst first; {units.counted(left_out, 'more case')} in the gate's folder, gate.md."
    parts = [
        f"## tbench gate: {escaped(result.scenario)}",
        f"**{headline(result)}** {summary(result)}.",
        f"Base: {escaped(result.base)}  \nNew: {escaped(result.new)}",
        cases,
        *([more] if left_out else []),
        f"{control(result)}.",
        *(f"- {escaped(note)}" for note in result.notes),
    ]
    return "\n\n".join(parts) + "\n"


def worst_first(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """What fails the gate before what does not; of equals the greatest slowdown first."""
    severity = {4: 0, 1: 1, 3: 2}

    def rank(one: Outcome) -> tuple[int, float]:
        return severity.get(FAILING.get(one.verdict, 0), 3), -(one.ratio.estimate if one.ratio else 0.0)

    return sorted(outcomes, key=rank)


def table(outcomes: Sequence[Outcome]) -> Table:
    """One line per case."""
    return Table(COLUMNS, tuple(tuple(map(Cell, _figures(one))) for one in outcomes))


def _figures(one: Outcome) -> tuple[str, ...]:
    mark = MARKS.get(one.verdict, "✗")
    return f"{mark} {one.verdict}", f"`{one.case}`", ratio(one), times(one), memory(one), one.reason


def markdown_of_nothing(scenario: str, why: str) -> str:
    """The same where the gate ended without a verdict on any case."""
    return f"## tbench gate: {escaped(scenario)}\n\n**Inconclusive.** {escaped(why)}\n"


def headline(result: Result) -> str:
    return {0: "Passed.", 1: "Regression.", 3: "Inconclusive.", 4: "Broken."}[result.exit_code]


def workflow_commands(result: Result) -> Iterator[str]:
    """GitHub's workflow commands, one for every case that fails the gate, at its line of the file that asks for it.

    GitHub shows ten of a step: of more, the worst nine and how many there are besides.
    """
    failing = [one for one in worst_first(result.outcomes) if one.verdict in FAILING]
    shown = failing if len(failing) <= ANNOTATIONS else failing[: ANNOTATIONS - 1]
    for one in shown:
        title = value("tbench: " + one.verdict)
        file = value(one.file or result.path)
        yield f"::{level(one)} file={file},line={one.line or 1},title={title}::{data(line(one))}"
    if left := failing[len(shown) :]:
        more = f"{len(left)} more: see the step's summary, or gate.md in the gate's folder"
        yield f"::{level(left[0])} file={value(result.path)},line=1,title={value('tbench: more cases')}::{data(more)}"


def level(one: Outcome) -> str:
    return "warning" if FAILING[one.verdict] == 3 else "error"


def data(text: str) -> str:
    """As GitHub's toolkit escapes a command's text."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def value(text: str) -> str:
    return data(text).replace(":", "%3A").replace(",", "%2C")
