"""Which measurements a regime is about, and which of them is whose baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from tbench.analysis.derive import Row
from tbench.claims.model import Regime, Selector
from tbench.records import Case, Value, text

Key = tuple[tuple[str, Value], ...]
STANDS_FOR = {"kv_sharing": "kv_heads"}  # what an axis that is derived is derived from
CONDITIONS = (
    "cache_state",
    "allocator",
    "launch",
    "fp32_precision",
    "lengths",
)  # cases have them where they are unusual, and are asked for by name


def value_of(case: Case, axis: str) -> Value | None:
    """The value of an axis, also of `component`, `phase`, `device`, `dtype` and the derived `kv_sharing`."""
    if axis == "kv_sharing":
        heads, kv_heads = case.get("heads"), case.get("kv_heads")
        if heads is None or kv_heads is None:
            return None
        return "mha" if heads == kv_heads else "mqa" if kv_heads == 1 else "gqa"
    return case.get(axis)


def matches(selector: Selector, case: Case) -> bool:
    """Whether each axis named has a value that one of its terms takes."""
    return all(any(takes(term, value_of(case, axis)) for term in terms) for axis, terms in selector.items())


@lru_cache(maxsize=4096, typed=True)  # true is not 1
def takes(term: str, value: Value | None) -> bool:
    """`flash` is that value, `window:*` a pattern, `!full` anything else, `>=1024` and `<=4096` a bound.

    An axis that a case does not have matches nothing, not even `!full`.
    """
    if value is None:
        return False
    if term.startswith("!"):
        return not takes(term[1:], value)
    if term.startswith((">=", "<=")):
        if isinstance(value, (bool, str)):
            return False
        return value >= float(term[2:]) if term[0] == ">" else value <= float(term[2:])
    return fnmatchcase(text(value), term)


def key(case: Case, without: Iterable[str] = ()) -> Key:
    """Everything that identifies a case, but for some axes."""
    dropped = {STANDS_FOR.get(axis, axis) for axis in without}
    whole = (("component", case.component), ("phase", case.phase), *case.items())
    return tuple((axis, value) for axis, value in whole if axis not in dropped)


def grouped(rows: Sequence[Row], without: Iterable[str]) -> dict[Key, list[Row]]:
    """Rows that are the same but for some axes, in the order first seen."""
    axes = tuple(without)
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row.measurement.case, axes), []).append(row)
    return groups


def tested(regime: Regime, rows: Sequence[Row]) -> list[Row]:
    """The cases a regime is about, baselines left out."""
    if named := regime.tested.get("component"):  # the quickest question of a large run comes first
        present = {row.measurement.case.component for row in rows}
        wanted = {one for one in present if any(takes(term, one) for term in named)}
        rows = [row for row in rows if row.measurement.case.component in wanted]
    return [row for row in rows if about(regime, row.measurement.case)]


def about(regime: Regime, case: Case) -> bool:
    """Whether a regime tests a case: it is no baseline, and measured as usual in all that the regime does not name."""
    if not matches(regime.tested, case) or (regime.against and matches(regime.against, case)):
        return False
    return all(name in regime.tested or case.get(name) is None for name in CONDITIONS)


class Baselines:
    """Finds what a row is compared with: `against`, and the same in every axis but those, `free` and `replicates`."""

    def __init__(self, regime: Regime, rows: Sequence[Row]) -> None:
        self.without = (*regime.against, *regime.free, *regime.replicates)
        chosen = [row for row in rows if regime.against and matches(regime.against, row.measurement.case)]
        self.by_key = grouped(chosen, self.without)

    def of(self, row: Row) -> list[Row]:
        return self.by_key.get(key(row.measurement.case, self.without), [])


def point(case: Case) -> Mapping[str, Value]:
    """Where an observation was made: every axis with its value, component and phase among them."""
    return {"component": case.component, "phase": case.phase, **dict(case.items())}


def telling(points: Sequence[Mapping[str, Value]], first: str | None = None) -> list[str]:
    """Axes that tell the points apart: `first` if it does, then each that adds to what is told, in the order seen."""
    axes = dict.fromkeys([*([first] if first else []), *(axis for one in points for axis in one)])
    chosen: list[str] = []
    told = 1
    for axis in axes:
        distinct = len({tuple(one.get(name) for name in (*chosen, axis)) for one in points})
        if distinct > told:
            chosen.append(axis)
            told = distinct
    return chosen
