"""Profiles as tables: one by itself, two side by side."""

from __future__ import annotations

from collections.abc import Sequence

from tbench.analysis.axes import label, varying
from tbench.profiling.model import Operator, Profile
from tbench.tables import units
from tbench.tables.table import Cell, Column, Table

MOST = 15  # rows; what is below them is one row
OTHERS = "others"


def alone(one: Profile) -> Table:
    """Operators with their share of the time, longest first."""
    columns = (Column("operator", right=False), *map(Column, ("share", "time per call", "calls", "allocates")))
    rest = one.operators[MOST:]
    shown = [*one.operators[:MOST], *([summed(rest)] if rest else [])]
    shown.append(Operator(one.between, 0, one.between_seconds, None))
    lines = tuple(
        (
            Cell(each.name),
            Cell(units.share(each.seconds / one.span_seconds)),
            Cell(units.duration_of(each.seconds / one.calls)),
            Cell(f"{each.calls / one.calls:g}" if each.calls else ""),
            Cell("" if each.bytes is None else size(each.bytes // one.calls)),
        )
        for each in shown
    )
    return Table(columns, lines, title(one))


def side_by_side(one: Profile, other: Profile) -> Table:
    """Operators of both by how much their times differ: what the second saved, and what it spent instead."""
    names = labels([one, other])
    columns = (Column("operator", right=False), *map(Column, (*names, "difference")))
    times = [per_call(each) for each in (one, other)]
    every = sorted(times[0].keys() | times[1].keys(), key=lambda name: -abs(_difference(times, name)))
    lines: list[tuple[str, float | None, float | None, float]] = [
        (name, times[0].get(name), times[1].get(name), _difference(times, name)) for name in every[:MOST]
    ]
    if rest := every[MOST:]:
        sums = [sum(each.get(name, 0.0) for name in rest) for each in times]
        lines.append((OTHERS, sums[0], sums[1], sums[1] - sums[0]))
    totals = [each.span_seconds / each.calls for each in (one, other)]
    lines.append(("all of a call", totals[0], totals[1], totals[1] - totals[0]))
    cells = tuple(
        (Cell(name), *(Cell("" if t is None else units.duration_of(t)) for t in (first, second)), Cell(signed(change)))
        for name, first, second, change in lines
    )
    peaks = " and ".join(units.size(each.peak_bytes) for each in (one, other))
    caption = f"time per call of {names[0]} and {names[1]}; at their peaks they allocate {peaks}"
    return Table(columns, cells, caption, breaks=frozenset({len(cells) - 1}))


def labels(profiles: Sequence[Profile]) -> list[str]:
    """Cases in the axes in which they differ."""
    cases = [one.case for one in profiles]
    apart = varying(cases)
    return [label(case, apart) for case in cases]


def title(one: Profile) -> str:
    return (
        f"{units.counted(one.calls, 'call')} of {units.duration_of(one.span_seconds / one.calls)} under the profiler, "
        f"which slows short operators; allocations peak at {units.size(one.peak_bytes)}"
    )


def per_call(one: Profile) -> dict[str, float]:
    found: dict[str, float] = {one.between: one.between_seconds / one.calls}
    for each in one.operators:
        found[each.name] = found.get(each.name, 0.0) + each.seconds / one.calls
    return found


def summed(rest: Sequence[Operator]) -> Operator:
    known = [one.bytes for one in rest if one.bytes is not None]
    calls, seconds = sum(one.calls for one in rest), sum(one.seconds for one in rest)
    return Operator(f"{OTHERS} ({len(rest)})", calls, seconds, sum(known) if known else None)


def size(count: int) -> str:
    """Signed bytes; empty for none."""
    return "" if not count else units.size(count) if count > 0 else f"−{units.size(-count)}"


def signed(seconds: float) -> str:
    if not seconds:
        return "0"
    return f"{'+' if seconds > 0 else '−'}{units.duration_of(abs(seconds))}"


def _difference(times: Sequence[dict[str, float]], name: str) -> float:
    return times[1].get(name, 0.0) - times[0].get(name, 0.0)
