"""Projections: the ratios of a comparison as grids over two axes or more, as `--rows` and `--cols` ask for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product

from tbench.analysis.axes import names, values, varying
from tbench.comparison.model import Compared, Comparison
from tbench.errors import UsageError
from tbench.records import Case, Value

Key = tuple[Value | None, ...]


@dataclass(frozen=True)
class Projection:
    """`rows`: the axes whose values lead the rows. `column`: the axis whose values are the columns; None: one column
    of ratios."""

    rows: tuple[str, ...]
    column: str | None


@dataclass(frozen=True)
class Grid:
    """`title`: the axes that are the same in this grid only. `cells`: by the row's values and the column's; a pair
    without a case is not there."""

    projection: Projection
    title: tuple[tuple[str, Value | None], ...]
    rows: tuple[Key, ...]
    columns: Key
    cells: Mapping[tuple[Key, Value | None], Compared]


def projection(comparison: Comparison, rows: str | None, column: str | None) -> Projection | None:
    """What `--rows` (axes with commas between) and `--cols` (one axis) ask for; None where neither is given.

    Without rows they are the other axes that vary. Raises UsageError for axes that no case has, and for one twice.
    """
    if rows is None and column is None:
        return None
    cases = [row.case for row in comparison.rows]
    asked = [name.strip() for name in (rows or "").split(",") if name.strip()]
    if rows is not None and not asked:
        raise UsageError("--rows names no axis; write for example --rows seq_len,kernel")
    known = names(cases)
    for option, given in (("--rows", asked), ("--cols", [] if column is None else [column])):
        for name in given:
            if name not in known:
                raise UsageError(f"{option} {name}: no such axis{_near(name, known)}")
    every = [*asked, *([] if column is None else [column])]
    twice = next((name for name in every if every.count(name) > 1), None)
    if twice:
        raise UsageError(f"{twice} appears twice in --rows and --cols: use each axis once")
    return Projection(tuple(asked or (name for name in varying(cases) if name != column)), column)


def grids(comparison: Comparison, wanted: Projection) -> list[Grid]:
    """One grid for every combination of the other axes that vary, in the order the cases first have them."""
    cases = [row.case for row in comparison.rows]
    placed = {*wanted.rows, wanted.column}
    titles = [name for name in varying(cases) if name not in placed]
    columns = (None,) if wanted.column is None else tuple(values(cases, wanted.column))
    across = wanted.column or ""  # which no case has: its value is None
    apart: dict[Key, list[Compared]] = {}
    for row in comparison.rows:
        apart.setdefault(_key(row.case, titles), []).append(row)
    return [
        Grid(
            wanted,
            tuple(zip(titles, title, strict=True)),
            tuple(_row_keys([row.case for row in rows], wanted.rows)),
            tuple(value for value in columns if any(row.case.get(across) == value for row in rows)),
            {(_key(row.case, wanted.rows), row.case.get(across)): row for row in rows},
        )
        for title, rows in apart.items()
    ]


def _row_keys(cases: Sequence[Case], axes: Sequence[str]) -> Iterator[Key]:
    """The rows there are, the first axis changing slowest."""
    present = {_key(case, axes) for case in cases}
    return (key for key in product(*(values(cases, axis) for axis in axes)) if key in present)


def _key(case: Case, axes: Sequence[str]) -> Key:
    return tuple(case.get(axis) for axis in axes)


def _near(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; choose from {', '.join(known)}"
