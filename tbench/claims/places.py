"""Where something holds, in words: at which values of an axis, or in which of the cases that differ in several."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

from tbench.claims.model import NOTHING, Language, Words
from tbench.records import Value, text

Kind = TypeVar("Kind", bound=Hashable)
Label = tuple[tuple[str, Value], ...]  # axes with their values


def size(value: Value) -> str:
    """1024 as `1K`, other values as they are."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1024 and value % 1024 == 0:
        return f"{value // 1024}K"
    return f"{value:g}" if isinstance(value, float) else text(value)


def label_words(label: Label) -> str:
    """`seq_len=1K kernel=flash`."""
    return " ".join(f"{axis}={size(value)}" for axis, value in label)


def joined(places: Sequence[str], language: Language) -> str:
    return (" and " if language == "en" else "、").join(places)


def along(axis: str, kinds: Mapping[Value, Kind], language: Language) -> list[tuple[Kind, str]]:
    """Every kind with the values it holds at, neighbouring ones together; empty where it holds at all of them."""
    every, found = list(kinds), dict[Kind, list[str]]()
    stretches: list[tuple[Kind, list[Value]]] = []
    for value, kind in kinds.items():
        if stretches and stretches[-1][0] == kind:
            stretches[-1][1].append(value)
        else:
            stretches.append((kind, [value]))
    for kind, values in stretches:
        found.setdefault(kind, []).append(stretch(axis, values, every, language))
    return [(kind, joined(where, language)) for kind, where in found.items()]


UNITS: Mapping[str, Words] = {
    "at": Words("×", "倍长度"),
    "seq_len": Words(" tokens", "词元"),
    "learned": Words(" of the way", "进度"),
}


def stretch(axis: str, values: Sequence[Value], every: Sequence[Value], language: Language) -> str:
    """Neighbouring values among all that were measured: `from 1K up`, `at 512`; empty where it is all of them."""
    unit = UNITS.get(axis, NOTHING)[language]
    first, last = f"{size(values[0])}{unit}", f"{size(values[-1])}{unit}"
    if len(values) == len(every):
        return ""
    if len(values) == 1:
        return f"at {first}" if language == "en" else f"{first}时"
    if values[-1] == every[-1]:
        return f"from {first} up" if language == "en" else f"{first}起"
    if values[0] == every[0]:
        return f"up to {last}" if language == "en" else f"至{last}"
    return f"from {size(values[0])} to {last}" if language == "en" else f"{size(values[0])}至{last}"


def among(seen: Sequence[tuple[Label, Kind]], language: Language) -> list[tuple[Kind, str]]:
    """Every kind with the cases it holds in, told by as few axes as set them apart; empty where there is one kind."""
    found = dict[Kind, list[Label]]()
    for kind, way in fewest([(dict(label), kind) for label, kind in seen]):
        found.setdefault(kind, []).append(way)
    return [(kind, places_words(ways, language)) for kind, ways in found.items()]


def places_words(ways: Sequence[Label], language: Language) -> str:
    """`at seq_len=512,2K and seq_len=1K heads=8`: ways that differ in one value only are one place."""
    merged: list[tuple[tuple[str, str], ...]] = [tuple((axis, size(value)) for axis, value in way) for way in ways]
    for place in reversed(range(max(map(len, merged), default=0))):
        alike = dict[object, list[tuple[tuple[str, str], ...]]]()
        for way in merged:
            rest = (way[:place], way[place][0], way[place + 1 :]) if place < len(way) else way
            alike.setdefault(rest, []).append(way)
        merged = [
            (*same[0][:place], (same[0][place][0], ",".join(way[place][1] for way in same)), *same[0][place + 1 :])
            if len(same) > 1
            else same[0]
            for same in alike.values()
        ]
    places = [" ".join(f"{axis}={values}" for axis, values in way) for way in merged if way]
    if not places:
        return ""
    return f"at {joined(places, language)}" if language == "en" else joined(places, language)


def fewest(seen: Sequence[tuple[Mapping[str, Value], Kind]]) -> list[tuple[Kind, Label]]:
    """The tree of axes with the fewest leaves in each of which one kind holds, first axes first; as (kind, way)."""
    if len({kind for _, kind in seen}) == 1:
        return [(seen[0][1], ())]
    axes = [axis for axis in seen[0][0] if len({values.get(axis) for values, _ in seen}) > 1]
    if not axes:  # cases that no axis tells apart: each kind for itself
        return [(kind, ()) for kind in dict.fromkeys(kind for _, kind in seen)]
    return min((list(branched(axis, seen)) for axis in axes), key=len)


def branched(axis: str, seen: Sequence[tuple[Mapping[str, Value], Kind]]) -> Iterator[tuple[Kind, Label]]:
    for value in dict.fromkeys(values.get(axis) for values, _ in seen):
        there = [(values, kind) for values, kind in seen if values.get(axis) == value]
        for kind, way in fewest(there):
            yield kind, way if value is None else ((axis, value), *way)
