"""A comparison in the shape that all formats lay out: `tables.table.Table`, of cases or of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tbench.analysis.axes import redundant
from tbench.analysis.derive import Row
from tbench.comparison.grid import Grid
from tbench.comparison.model import Compared, Comparison, Verdict
from tbench.records import Measurement, Value, text
from tbench.report.model import table
from tbench.tables import units
from tbench.tables.numbers import significant
from tbench.tables.table import Cell, Column, Table, Tone

TONES: dict[Verdict, Tone] = {
    Verdict.SLOWER: "bad",
    Verdict.BROKEN: "bad",
    Verdict.MISSING: "bad",
    Verdict.FASTER: "good",
    Verdict.FIXED: "good",
    Verdict.INCONCLUSIVE: "quiet",
}
# In a grid, where a word has no room.
MARKS: dict[Verdict, str] = {Verdict.SLOWER: "▲", Verdict.FASTER: "▼", Verdict.INCONCLUSIVE: "?", Verdict.BIGGER: "■"}
LEGEND: dict[str, str] = {
    "▲": "▲ SLOWER",
    "▼": "▼ FASTER",
    "?": "? INCONCLUSIVE",
    "■": "■ BIGGER (peak memory)",
}


def sections(comparison: Comparison) -> list[Table]:
    """A table for each component and phase: their axes differ, and one table of all would be mostly empty cells."""
    apart: dict[tuple[str, str], list[Compared]] = {}
    for row in comparison.rows:
        apart.setdefault((row.case.component, row.case.phase), []).append(row)
    return [cases(rows) for rows in apart.values()]


def cases(rows: Sequence[Compared]) -> Table:
    """One line per case: the axes that vary, both times, their ratio, peak memory, the verdict, notes.

    No line at all where there would be nothing but axes: then the remarks say it for all.
    """
    frame = _frame(rows)
    axes = [i for i, column in enumerate(frame.columns) if column.name != "note"]
    notes = [i for i, column in enumerate(frame.columns) if column.name == "note"]
    spare = redundant([row.case for row in rows], [frame.columns[i].name for i in axes])
    figures = (
        (Column("base", rank=3), [_time(row.base) for row in rows]),
        (Column("new", rank=1), [_time(row.new) for row in rows]),
        (Column("ratio"), [Cell("" if row.ratio is None else units.times(row.ratio), _tone(row)) for row in rows]),
        (Column("peak memory", rank=2), [_memory(row) for row in rows]),
        (Column("verdict", right=False), [_verdict(row) for row in rows]),
    )
    kept = [(column, cells) for column, cells in figures if any(cell.text for cell in cells)]
    if not kept and not notes:
        remarks = tuple(f"{units.counted(len(rows), 'case')}: {remark}" for remark in frame.remarks)
        return replace(frame, columns=(), lines=(), remarks=remarks)
    leading: Sequence[tuple[Cell, ...]] = frame.lines or [()] * len(rows)  # a single case has no axis that varies
    return replace(
        frame,
        columns=(
            *(replace(frame.columns[i], rank=int(frame.columns[i].name in spare)) for i in axes),
            *(column for column, _ in kept),
            *(frame.columns[i] for i in notes),
        ),
        lines=tuple(
            (*(line[i] for i in axes), *(cells[number] for _, cells in kept), *(line[i] for i in notes))
            for number, line in enumerate(leading)
        ),
    )


def constants(comparison: Comparison) -> str:
    """What all cases share: `attention forward cpu float32 batch=1 …`."""
    return _frame(comparison.rows).caption


def grid(one: Grid) -> Table:
    """Ratios, each with a mark for its verdict; a word where there is no ratio."""
    columns = [Column(name, right=_numbers([key[i] for key in one.rows])) for i, name in enumerate(one.projection.rows)]
    across = one.projection.column
    columns += [Column("ratio" if across is None else _axis(value), rank=1) for value in one.columns]
    marks = max((len(_marks(row)) for row in one.cells.values()), default=0)
    title = [f"{name}={text(value)}" for name, value in one.title if value is not None]
    return Table(
        columns=tuple(columns),
        lines=tuple(
            (
                *(Cell(_axis(value)) for value in key),
                *(_ratio(one.cells.get((key, value)), marks) for value in one.columns),
            )
            for key in one.rows
        ),
        caption=" ".join([*title, *([f"columns: {across}"] if across else [])]),
    )


def legend(grids: Sequence[Grid]) -> str:
    """What the marks mean that these grids have."""
    used = {mark for one in grids for row in one.cells.values() for mark in _marks(row)}
    return ", ".join(["ratio = new ÷ base time", *(words for mark, words in LEGEND.items() if mark in used)])


def _frame(rows: Sequence[Compared]) -> Table:
    """What the run table makes of the cases alone: constants, axes that vary, notes. It has no figure to show."""
    bare = [
        Row(Measurement(row.case, "unsupported", "only its axes count", baseline=_group(row)), "ok", row.reasons)
        for row in rows
    ]
    return table(bare)


def _group(row: Compared) -> str | None:
    there = row.base or row.new
    return there.measurement.baseline if there else None


def _time(row: Row | None) -> Cell:
    if row is None or (row.latency is None and row.status == "ok"):
        return Cell("")
    if row.latency is None:
        return Cell(row.status, "quiet" if row.status == "unsupported" else "bad")
    return Cell(units.duration(row.latency))


def _memory(row: Compared) -> Cell:
    old, new = (None if side is None else side.peak_memory_bytes for side in (row.base, row.new))
    if old is not None and new is not None and row.memory:
        return Cell(f"{units.size(old)} → {units.size(new)}", "bad" if row.memory == Verdict.BIGGER else "good")
    only = new if row.new is not None else old
    return Cell("" if only is None else units.size(only))


def _verdict(row: Compared) -> Cell:
    words = " ".join(filter(None, (row.verdict or _statuses(row), row.memory)))
    return Cell(words, "bad" if row.memory == Verdict.BIGGER else _tone(row))


def _statuses(row: Compared) -> str:
    """Of a case without a verdict: `oom`, or `oom → error`; nothing where it is ok and not timed."""
    found = dict.fromkeys(side.status for side in (row.base, row.new) if side is not None and side.status != "ok")
    return " → ".join(found)


def _tone(row: Compared) -> Tone:
    return "quiet" if row.verdict is None else TONES.get(row.verdict, "")


def _ratio(row: Compared | None, marks: int) -> Cell:
    if row is None:
        return Cell("")
    if row.ratio is None:
        return Cell(row.verdict or _statuses(row), _tone(row))
    value = significant(row.ratio.estimate, row.ratio.low, row.ratio.high)
    padded = f" {_marks(row):<{marks}}" if marks else ""
    return Cell(f"{value}×{padded}", "bad" if row.memory == Verdict.BIGGER else _tone(row))


def _marks(row: Compared) -> str:
    if row.ratio is None:
        return ""
    return "".join(MARKS.get(word, "") for word in (row.verdict, row.memory) if word)


def _axis(value: Value | None) -> str:
    return "" if value is None else text(value)


def _numbers(found: Sequence[Value | None]) -> bool:
    return all(value is None or isinstance(value, int | float) for value in found)
