"""What the command line says of a scenario's axes, in the words of the file.

`--set axis=a,b` replaces an axis; `-k 'axis=value,value axis2=value'` says which of the cases are wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tbench.catalog import COMPONENTS
from tbench.errors import NothingSelected, ScenarioError, UsageError
from tbench.records import Case, Value, text
from tbench.scenario.axes import AxisField, axis_fields, unknown_axis
from tbench.scenario.model import Given, Point, Scenario, is_one_of
from tbench.yamlfile.mistakes import did_you_mean, shown
from tbench.yamlfile.reader import REFUSED
from tbench.yamlfile.reader import read as read_yaml
from tbench.yamlfile.scalars import AmbiguousScalar, read_plain

DEVICE = re.compile(r"cpu|cuda(:[0-9]+)?")
OF_A_CASE = ("component", "device")  # beside the axes
IDENTITY = "a case"  # in place of an axis, where a whole identity is given
MOST_TOLD = 12  # values of an axis, where one that no case has was asked for


@dataclass(frozen=True)
class Override:
    """One `--set`: `values` as they were read, not yet checked against an axis."""

    axis: str
    values: tuple[Any, ...]
    label: str  # stands before its mistakes, in place of file:line:column

    def parsed(self, axes: Mapping[str, AxisField]) -> tuple[Value, ...]:
        """The canonical values. Raises ValueError with the axis named."""
        if self.axis not in axes:
            raise ValueError(unknown_axis(self.axis, axes))
        made: dict[Value, None] = {}
        for value in self.values:
            try:
                canonical = axes[self.axis].parse(value)
            except ValueError as error:
                raise ValueError(f"{self.axis}: {error}") from None
            if canonical in made:
                raise ValueError(f"{self.axis}: {shown(canonical)} is given twice")
            made[canonical] = None
        return tuple(made)

    @staticmethod
    def read(said: str) -> Override:
        """Read `seq_len=512,1024`, `pattern=[full, {window: 256}]`, `pattern=full,window:256`. Raises UsageError."""
        axis, equals, values = said.partition("=")
        axis, values = axis.strip(), values.strip()
        label = f"--set {said}"
        if not equals or not axis or not values:
            raise UsageError(f"{label}: write axis=value or axis=a,b")
        as_list = values if values.startswith("[") else f"[{values}]"
        try:
            document = read_yaml(f"values: {as_list}".encode("utf-8", "replace"), "")
        except ScenarioError as error:
            raise UsageError(f"{label}: {unplaced(error)}") from None
        found = document.data.get("values")
        if document.mistakes.found:
            raise UsageError(f"{label}: {'; '.join(message for _, message in document.mistakes.found)}")
        if set(document.data) != {"values"} or not isinstance(found, list) or not found or REFUSED in found:
            raise UsageError(f"{label}: write axis=value or axis=a,b")
        return Override(axis, tuple(found), label)


def unplaced(error: ScenarioError) -> str:
    """An error of the reader without its place, which is one in a text the user has not written."""
    return re.sub(r"^:\d+:\d+: ", "", str(error).splitlines()[0])


@dataclass(frozen=True)
class Term:
    """One axis and the values it may have. `label`: the text of the `-k` it stands in."""

    axis: str
    values: tuple[Value, ...]
    label: str

    def takes(self, point: Point, given: Given, device: str) -> bool:
        """`given`: what the scenario says of the point."""
        if self.axis == IDENTITY:
            return point.on(device).id in self.values
        if self.axis == "device":  # `cuda` is any of them
            return not {device, device.split(":")[0]}.isdisjoint(self.values)
        return is_one_of(given, point, self.axis, self.values)


def expand(scenario: Scenario, device: str = "cpu", select: Sequence[str] = ()) -> list[Case]:
    """The cases of a scenario on `device` (resolved: `cpu`, `cuda:0`), in the order of the sweep.

    `select`: texts as after `-k`. Terms are joined by and, values by or; a case's whole identity selects that case.
    For a suite: the cases of its parts, each once. Raises UsageError for an axis or a value that no case could
    have, NothingSelected where no case is left, ScenarioError where a `--set` does not fit this device's section.
    """
    return [case for _, cases in by_part(scenario, device, select) for case in cases]


def by_part(scenario: Scenario, device: str, select: Sequence[str] = ()) -> list[tuple[Scenario, list[Case]]]:
    """What `expand` gives, by the part (or the scenario itself) that each case is of."""
    scenario = scenario.on(device)
    parts = scenario.parts or (scenario,)
    terms = parsed(select, parts, device)
    taken: set[Point] = set()
    found = []
    for part in parts:
        points = [
            point
            for point, given in part.points.items()
            if point not in taken and all(term.takes(point, given, device) for term in terms)
        ]
        taken.update(points)
        found.append((part, [point.on(device) for point in points]))
    if not taken:
        raise NothingSelected(nothing_left(terms, parts, device))
    return found


def parsed(select: Sequence[str], parts: Sequence[Scenario], device: str) -> list[Term]:
    """The terms of every `-k`. Raises UsageError."""
    names = dict.fromkeys(part.component for part in parts) if select else {}
    components = [axis_fields(COMPONENTS[name]) for name in names]
    heads = [entry for entry in select if "/" in entry.partition(" ")[0]]
    known = {point.on(device).id for part in parts for point in part.points} if heads else set()
    return [
        term
        for entry in select
        for term in ([Term(IDENTITY, (entry,), f"-k {entry!r}")] if entry in known else terms_of(entry, components))
    ]


def terms_of(entry: str, components: Sequence[Mapping[str, AxisField]]) -> Iterator[Term]:
    """The terms of one `-k`."""
    label = f"-k {entry!r}"
    if not entry.split():
        raise UsageError("-k '': write axis=value, e.g. -k 'kernel=flash seq_len=1024'")
    for word in entry.split():
        axis, equals, values = word.partition("=")
        component, slash, phase = axis.partition("/")
        if not equals and slash:  # the head of an identity
            pairs = [("component", component), ("phase", phase)]
        elif equals and axis and values:
            pairs = [(axis, values)]
        else:
            raise UsageError(f"{label}: {shown(word)} is not axis=value")
        for name, several in pairs:
            meanings = (value for one in several.split(",") for value in meant(name, one, label, components))
            yield Term(name, tuple(meanings), label)


def meant(axis: str, value: str, label: str, components: Sequence[Mapping[str, AxisField]]) -> list[Value]:
    """What a value may mean, in any of the components at hand. Raises UsageError if it means nothing."""
    if axis == "component":
        if value not in COMPONENTS:
            raise UsageError(f"{label}: {shown(value)} is not a component{did_you_mean(value, COMPONENTS)}")
        return [value]
    if axis == "device":
        if not DEVICE.fullmatch(value):
            raise UsageError(f"{label}: {shown(value)} is not a device; write cpu or cuda:0")
        return [value]
    fields = [axes[axis] for axes in components if axis in axes]
    if not fields:
        known = dict.fromkeys(name for names in components for name in names)
        raise UsageError(f"{label}: {unknown_axis(axis, [*known, *OF_A_CASE])}")
    found, refused = [], []
    for field in fields:
        try:
            found.append(canonical(field, value))
        except ValueError as error:
            refused.append(str(error))
    if not found:
        raise UsageError(f"{label}: {axis}: {refused[0]}")
    return found


def canonical(field: AxisField, value: str) -> Value:
    """A value as `-k` has it. Raises ValueError."""
    try:
        return field.parse(read_plain(value))
    except AmbiguousScalar:
        raise
    except ValueError:
        return field.parse(value)  # `null` and `1e3` may be names


def nothing_left(terms: Sequence[Term], parts: Sequence[Scenario], device: str) -> str:
    """Why nothing is left: a term that takes no case, with what there is, or terms that no case meets together."""
    every = [(point, given) for part in parts for point, given in part.points.items()]
    for term in terms:
        if not any(term.takes(point, given, device) for point, given in every):
            having = dict.fromkeys(given.get(term.axis, point.get(term.axis)) for point, given in every)
            there = [device] if term.axis == "device" else [text(value) for value in having if value is not None]
            more = f" and {len(there) - MOST_TOLD} more" if len(there) > MOST_TOLD else ""
            what = f"{term.axis} is {', '.join(there[:MOST_TOLD])}{more}" if there else f"no case has {term.axis}"
            return f"{term.label}: no case has {term.axis}={','.join(map(text, term.values))}; {what}"
    told = " and ".join(f"{term.axis}={','.join(map(text, term.values))}" for term in terms)
    return f"no case matches {told} together; drop one of them"
