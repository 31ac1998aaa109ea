"""The axes of cases that stand together: which there are, which vary, and a case by those alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tbench.records import Case, Value, text

COMMON = ("component", "phase", "device", "dtype")


def names(cases: Iterable[Case]) -> list[str]:
    """Every axis of any case, what all cases have first."""
    return [*COMMON, *dict.fromkeys(name for case in cases for name, _ in case.axes)]


def values(cases: Iterable[Case], name: str) -> list[Value | None]:
    """The values of an axis: numbers ascending, others in the order they come. None: a case without that axis."""
    found = list(dict.fromkeys(case.get(name) for case in cases))
    numbers = [value for value in found if isinstance(value, int | float)]
    return [*sorted(numbers)] if len(numbers) == len(found) else found


def varying(cases: Sequence[Case]) -> list[str]:
    """The axes in which cases differ; true is not 1."""
    return [name for name in names(cases) if len({(type(value := case.get(name)), value) for case in cases}) > 1]


def redundant(cases: Sequence[Case], told: Sequence[str]) -> set[str]:
    """Axes of `told` that can go without two cases looking alike, the last first: a design tells its parts."""
    kept = list(told)
    for name in reversed(told):
        fewer = [one for one in kept if one != name]
        if len({tuple(case.get(one) for one in fewer) for case in cases}) == len(cases):
            kept = fewer
    return {*told} - {*kept}


def word(name: str, value: Value | None) -> str:
    """A name as it is, a number with its axis; nothing for an axis that a case has not got."""
    return "" if value is None else value if isinstance(value, str) else f"{name}={text(value)}"


def label(case: Case, told: Iterable[str]) -> str:
    """`seq_len=1024 kernel=flash` for the axes `told`; the whole identity where there is none of them."""
    words = [f"{name}={text(value)}" for name in told if (value := case.get(name)) is not None]
    return " ".join(words) or case.id


def first_difference(base: Sequence[Case], new: Sequence[Case]) -> str:
    """Why no case of one side is on the other, by the first axis that tells them apart."""
    for name in names([*base, *new]):
        here, there = values(base, name), values(new, name)
        if not set(here) & set(there):
            return f"{name} is {_listed(here)} in the base and {_listed(there)} in the new run"
    one = base[0]
    near = min(new, key=lambda other: len(_apart(one, other)))
    apart = _apart(one, near)
    if not apart:
        return "same axes, different order"
    old, now = (_listed([case.get(apart[0])]) for case in (one, near))
    return f"the closest pair differs in {apart[0]}: {old} in the base, {now} in the new run"


def _apart(one: Case, other: Case) -> list[str]:
    return [name for name in names([one, other]) if one.get(name) != other.get(name)]


def _listed(found: Sequence[Value | None]) -> str:
    shown = ["not there" if value is None else text(value) for value in found[:5]]
    return ", ".join(shown) + (", …" if len(found) > 5 else "")
