"""The result table, once for all formats: which columns, what stands in each cell, which notes go below.

Axes that have one value in all rows go to the caption; the rest are columns. A reason that concerns single rows
becomes a numbered note, one that concerns every measured row a remark. A format only lays this out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from tbench.analysis.axes import COMMON, names, varying
from tbench.analysis.derive import Row
from tbench.records import Case, text
from tbench.tables import units
from tbench.tables.table import Cell, Column, Table, Tone

T = TypeVar("T")

# Below this many FLOPs a byte every current machine waits for its memory: GB/s says more than FLOP/s.
MEMORY_BOUND = 8.0
NOT_MEASURABLE = "—"  # a note says why
INLINE = 20  # a note up to this long stands in its row


@dataclass
class Notes:
    """Numbers the notes in the order they come up."""

    everywhere: frozenset[str]
    numbered: list[str] = field(default_factory=list)

    def cell(self, row: Row) -> Cell:
        words: list[str] = []
        for _, general in row.reasons:
            if general in self.everywhere:
                continue
            if len(general) <= INLINE:
                words.append(general)
                continue
            if general not in self.numbered:
                self.numbered.append(general)
            words.append(f"[{self.numbered.index(general) + 1}]")
        return Cell(" ".join(words), "quiet")


def table(rows: Sequence[Row]) -> Table:
    """The table of `rows`, in their order. Columns that would be empty in every row are left out."""
    cases = [row.measurement.case for row in rows]
    apart = varying(cases)
    constants = [_constant(name, cases[0]) for name in names(cases) if cases and name not in apart]
    everywhere = shared_reasons(rows)
    notes = Notes(everywhere)
    columns: list[Column] = []
    cells: list[list[Cell]] = []
    devices = [row.measurement.device_name for row in rows]
    if len({*devices} - {""}) > 1:
        columns.append(Column("device type", right=False))
        cells.append([Cell(name) for name in devices])
    for name in apart:
        numbers = all(isinstance(case.get(name), int | float | None) for case in cases)
        columns.append(Column(name, right=numbers))
        cells.append([Cell(_axis(name, case)) for case in cases])
    for column, make in (*_figures(rows), (Column("note", right=False), notes.cell)):
        made = [make(row) for row in rows]
        if any(cell.text for cell in made):
            columns.append(column)
            cells.append(made)
    return Table(
        columns=tuple(columns),
        lines=tuple(zip(*cells, strict=True)),
        caption=" ".join(filter(None, constants)),
        breaks=frozenset(_breaks(rows)),
        remarks=tuple(sorted(everywhere)),
        notes=tuple(notes.numbered),
    )


def kv_sharing(case: Case) -> str | None:
    """What the sharing of K and V is called: MHA, MQA, or GQA with the number of KV heads; None without heads."""
    heads, kv_heads = case.get("heads"), case.get("kv_heads")
    if not isinstance(heads, int) or not isinstance(kv_heads, int):
        return None
    return "MHA" if kv_heads == heads else "MQA" if kv_heads == 1 else f"GQA-{kv_heads}"


def shared_reasons(rows: Sequence[Row]) -> frozenset[str]:
    """Reasons that every measured row gives (two rows or more): said once, below the table."""
    measured = [{general for _, general in row.reasons} for row in rows if row.status == "ok"]
    if len(measured) < 2:
        return frozenset()
    return frozenset(reason for reason in set.intersection(*measured) if len(reason) > INLINE)


def _figures(rows: Sequence[Row]) -> Iterable[tuple[Column, Callable[[Row], Cell]]]:
    slow_memory = _memory_bound(rows)

    def rate(row: Row) -> Cell:
        if "latency" in row.too_wide:
            return Cell("")
        width = row.latency.relative_half_width if row.latency else None
        if _kind(row) in slow_memory:
            return Cell("" if row.gbytes_per_s is None else units.rate(row.gbytes_per_s * 1e9, "B/s", width))
        return Cell("" if row.tflops is None else units.rate(row.tflops * 1e12, "FLOP/s", width))

    def kv_cache(row: Row) -> Cell:
        count = row.measurement.work.kv_cache_bytes if row.measurement.work else None
        return Cell("" if count is None else units.size(count))

    def width(row: Row) -> Cell:
        return Cell(units.plus_minus(row.printed_latency.relative_half_width if row.printed_latency else None), "quiet")

    def of_limit(row: Row) -> Cell:
        return Cell("" if "latency" in row.too_wide else _given(row.limit_fraction, units.share))

    def memory_ratio(row: Row) -> Cell:
        return Cell(_given(row.memory_ratio, lambda ratio: f"{units.three_digits(ratio)}×"))

    return (
        (Column("latency"), _latency),
        (Column("±", rank=3), width),
        (Column("speed-up"), _speedup),
        (Column("peak memory"), lambda row: Cell(_given(row.peak_memory_bytes, units.size))),
        (Column("memory ratio", rank=2), memory_ratio),
        (Column("KV cache", rank=1), kv_cache),
        (Column("throughput", rank=4), rate),
        (Column("% of peak", rank=1), of_limit),
        *_findings(rows),
    )


def _findings(rows: Sequence[Row]) -> Iterable[tuple[Column, Callable[[Row], Cell]]]:
    """A column for every single figure that experiments found; their lists are in the JSON report."""
    single = {
        name: not isinstance(value, str)
        for row in rows
        for name, value in row.measurement.findings.items()
        if isinstance(value, int | float | str)
    }
    for name, right in single.items():
        yield Column(name.replace("_", " "), right), partial(_finding, name)


def _finding(name: str, row: Row) -> Cell:
    value = row.measurement.findings.get(name)
    if isinstance(value, int) and "bytes" in name:
        return Cell(units.size(value))
    return Cell("" if value is None else f"{value:.4g}" if isinstance(value, float) else text(value))


def _given(value: T | None, show: Callable[[T], str]) -> str:
    return "" if value is None else show(value)


def _latency(row: Row) -> Cell:
    if row.latency is None:
        tone: Tone = "" if row.status == "ok" else "quiet" if row.status == "unsupported" else "bad"
        return Cell("" if row.status == "ok" else row.status, tone)
    return Cell(NOT_MEASURABLE, "quiet") if row.printed_latency is None else Cell(units.duration(row.printed_latency))


def _speedup(row: Row) -> Cell:
    if row.speedup is None:
        return Cell("")
    if row.measurement.baseline == row.measurement.case.id:
        return Cell("baseline", "quiet")
    if row.printed_speedup is None:
        return Cell(NOT_MEASURABLE, "quiet")
    low, high = row.speedup.low, row.speedup.high
    tone: Tone = "good" if low is not None and low > 1 else "bad" if high is not None and high < 1 else ""
    return Cell(units.times(row.speedup), tone)


def _kind(row: Row) -> tuple[str, str]:
    return row.measurement.case.component, row.measurement.case.phase


def _memory_bound(rows: Sequence[Row]) -> set[tuple[str, str]]:
    """Components and phases in which some case does little arithmetic for the bytes it moves."""
    return {_kind(row) for row in rows if (work := row.measurement.work) and work.flops < MEMORY_BOUND * work.bytes}


def _axis(name: str, case: Case) -> str:
    value = case.get(name)
    if value is None:
        return ""
    sharing = kv_sharing(case) if name == "kv_heads" else None
    return f"{text(value)} {sharing}" if sharing else text(value)


def _constant(name: str, case: Case) -> str:
    value = case.get(name)
    if value is None:
        return ""
    if name in COMMON:
        return text(value)
    sharing = kv_sharing(case) if name == "kv_heads" else None
    return f"{name}={text(value)}" + (f" ({sharing})" if sharing else "")


def _breaks(rows: Sequence[Row]) -> Iterable[int]:
    """Where the compared group changes; nowhere if groups are single rows, or their rows do not stand together."""
    groups = [row.measurement.baseline for row in rows]
    changes = [i for i in range(1, len(rows)) if groups[i] != groups[i - 1]]
    together = len(changes) == len(set(groups)) - 1
    return changes if together and len(changes) < len(rows) - 1 else ()
