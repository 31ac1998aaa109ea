"""Which timed cases stand together in a picture: what is compared with each other, at every length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tbench.analysis.axes import COMMON, redundant, varying, word
from tbench.analysis.derive import Row
from tbench.claims.model import Words
from tbench.records import Case, Value, text

SIZE = "seq_len"
FEW = 8  # lines that can be told apart in one panel: comparisons of the same sizes share one up to here
LINE = Words("variant", "变体")


@dataclass(frozen=True)
class Group:
    """Cases that are compared with each other, at every length. `lines`: rows by what varies but the length."""

    name: str
    lines: Mapping[str, Sequence[Row]]

    @property
    def rows(self) -> list[Row]:
        return [row for line in self.lines.values() for row in line]


def grouped(rows: Iterable[Row]) -> list[Group]:
    """Timed rows by what they are compared with, all lengths together; small groups of the same sizes are one."""
    timed = [row for row in rows if row.latency is not None]
    by_baseline: dict[tuple[Any, ...], list[Row]] = {}
    cases = {row.measurement.case.id: row.measurement.case for row in timed}
    for row in timed:
        case = row.measurement.case
        base = cases.get(row.measurement.baseline or "")
        key = _key(base) if base else (case.component, case.phase, case.device, case.dtype)
        by_baseline.setdefault(key, []).append(row)
    merged = _merged(list(by_baseline.values()))
    return [Group(name, lines_of(group)) for name, group in zip(_names(merged), merged, strict=True)]


def _names(groups: Sequence[Sequence[Row]]) -> list[str]:
    """`attention forward head_dim=64`: by the axes that tell a group from the others of its component and phase; groups
    that only their baselines tell apart by these: `attention forward, baseline flash`."""
    shared = [_shared([row.measurement.case for row in group]) for group in groups]
    kinds: dict[tuple[str, str], list[Case]] = {}
    for case in shared:
        kinds.setdefault((case.component, case.phase), []).append(case)
    telling = {kind: [axis for axis in varying(cases) if axis not in COMMON[:2]] for kind, cases in kinds.items()}
    names = [_named(case, telling[case.component, case.phase]) for case in shared]
    for name in {name for name in names if names.count(name) > 1}:
        alike = [place for place, one in enumerate(names) if one == name]
        bases = [_baseline(groups[place]) for place in alike]
        apart = [axis for axis in varying([base for base in bases if base is not None]) if axis != SIZE]
        for number, (place, base) in enumerate(zip(alike, bases, strict=True), start=1):
            told = " ".join(filter(None, (word(axis, base.get(axis)) for axis in apart))) if base else ""
            names[place] = f"{name}, baseline {told or number}"
    return names


def _named(case: Case, telling: Sequence[str]) -> str:
    words = f"{case.component} {case.phase}".replace("_", " ")
    axes = (f"{axis}={text(value)}" for axis in telling if (value := case.get(axis)) is not None)
    return " ".join([words, *axes])


def _baseline(group: Sequence[Row]) -> Case | None:
    """The case that the first row is compared with, where it is in the group."""
    first = group[0].measurement.baseline
    return next((row.measurement.case for row in group if row.measurement.case.id == first), None)


def _key(case: Case, without: Sequence[str] = (SIZE,)) -> tuple[Any, ...]:
    axes = tuple((name, value) for name, value in case.axes if name not in without)
    return (case.component, case.phase, case.device, case.dtype, *axes)


def _merged(groups: Sequence[list[Row]]) -> list[list[Row]]:
    """Groups of one component and phase that differ in nothing but the axes that are compared, while they are few."""
    by_sizes: dict[tuple[Any, ...], list[list[Row]]] = {}
    compared: dict[tuple[str, str], set[str]] = {}
    for group in groups:
        first = group[0].measurement.case
        compared.setdefault((first.component, first.phase), set()).update(
            varying([row.measurement.case for row in group])
        )
    for group in groups:
        first = group[0].measurement.case
        kind = (first.component, first.phase)
        by_sizes.setdefault(_key(first, (*compared[kind], SIZE, "kernel")), []).append(group)
    merged = []
    for alike in by_sizes.values():
        together = [row for group in alike for row in group]
        merged += [together] if len(lines_of(together)) <= FEW else alike
    return merged


def _shared(cases: Sequence[Case]) -> Case:
    """The first case without the axes that vary."""
    apart = varying(cases)
    first = cases[0]
    axes = tuple((name, value) for name, value in first.axes if name not in apart and name != SIZE)
    return Case(first.component, first.phase, first.device, first.dtype, axes)


def lines_of(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by the axes that vary, without those that say nothing new, each in order of length."""
    cases = [row.measurement.case for row in rows]
    apart = [name for name in varying(cases) if name != SIZE]
    found: dict[tuple[Value | None, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row.measurement.case.get(name) for name in apart), []).append(row)
    kept = {*apart} - redundant([line[0].measurement.case for line in found.values()], apart)
    ordered: dict[str, list[Row]] = {}
    for values, line in found.items():
        name = " ".join(word(axis, value) for axis, value in zip(apart, values, strict=True) if axis in kept)
        name = " ".join(name.split()) or _alone(line[0].measurement.case)
        while name in ordered:  # an axis that a case has not got leaves no trace in its name
            name += "′"
        ordered[name] = sorted(line, key=lambda row: size_of(row.measurement.case))
    return ordered


def _alone(case: Case) -> str:
    """The name of the only line."""
    return text(case.get("kernel") or case.component)


def size_of(case: Case) -> float:
    value = case.get(SIZE)
    return float(value) if isinstance(value, int | float) else 0.0
