"""A scenario, read and resolved: plain data, JSON in and out, and the points of its sweep."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tbench import catalog
from tbench.components.registry import Component, Impossible
from tbench.errors import ScenarioError
from tbench.records import Case, Sampling, Value
from tbench.scenario.axes import ALIAS, Missing, kv_heads, resolve
from tbench.yamlfile.source import folder_of

KINDS = ("cpu", "cuda")  # of devices, each of which may have a section of its own in a scenario

Given = dict[str, Value]  # what the scenario says at one point of the sweep, by the names it uses


@dataclass(frozen=True)
class Point:
    """A case before a device is chosen for it."""

    component: str
    phase: str
    dtype: str
    axes: tuple[tuple[str, Value], ...]

    @staticmethod
    def of(case: Case) -> Point:
        return Point(case.component, case.phase, case.dtype, case.axes)

    def on(self, device: str) -> Case:
        return Case(self.component, self.phase, device, self.dtype, self.axes)

    def get(self, name: str) -> Value | None:
        """The value of an axis, `phase`, `dtype` and `component` among them; of one that is named only where it is
        unusual, the usual one."""
        for axis, value in self.axes:
            if axis == name:
                return value
        own = {"phase": self.phase, "dtype": self.dtype, "component": self.component}
        return own[name] if name in own else catalog.get(self.component).usual(name)


@dataclass(frozen=True)
class Scenario:
    """What to measure. `fixed` and `sweep` may name `phase`, `dtype`, `model` and `kv_sharing` beside the axes.

    `sweep`: values by axis; the last varies fastest. `include`: single points on top of `fixed`. `exclude`: a case
    that matches all of an entry is left out. `baseline`: values that make the case which others are compared with.
    A suite has `parts` and nothing of its own to measure. `lines` says where `sweep` and each axis stand in `path`.
    `devices`: what is measured instead on a kind of device; `unfit`: why nothing can be (a `--set` that does not fit
    there), told to whoever asks for it.
    """

    name: str
    title: str
    component: str = ""
    fixed: Mapping[str, Value] = field(default_factory=dict)
    sweep: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    include: tuple[Mapping[str, Value], ...] = ()
    exclude: tuple[Mapping[str, tuple[Value, ...]], ...] = ()
    baseline: Mapping[str, Value] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=Sampling)
    parts: tuple[Scenario, ...] = ()
    devices: Mapping[str, Scenario] = field(default_factory=dict)
    description: str = ""
    unfit: str = ""
    path: str = field(default="", compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def folder(self) -> Path:
        """Where the paths of the user's own kernels start, those of a suite's parts too."""
        return folder_of(self.path)

    def on(self, device: str) -> Scenario:
        """What is measured on `device` (`cpu`, `cuda:0`): its kind's section applied, in a suite to every part.

        Raises ScenarioError where a `--set` does not fit there.
        """
        chosen = self.devices.get(kind_of(device), self)
        if chosen.unfit:
            raise ScenarioError(chosen.unfit)
        return chosen.alike(devices={}, parts=tuple(part.on(device) for part in chosen.parts))

    def alike(self, **changes: Any) -> Scenario:
        """The same with `changes` that leave the points as they are."""
        made = dataclasses.replace(self, **changes)
        if not made.parts and "points" in vars(self):
            made.keep(self.points)
        return made

    def anywhere(self) -> Iterator[Scenario]:
        """Everything with points of its own that may be measured on some device: itself, or of a suite the parts."""
        for one in (self, *self.devices.values()):
            if one.parts:
                yield from itertools.chain.from_iterable(part.anywhere() for part in one.parts)
            elif not one.unfit:
                yield one

    def sampled(self, change: Callable[[Sampling], Sampling]) -> Scenario:
        """The same with another sampling, on every device and in every part of a suite."""
        return dataclasses.replace(
            self,
            sampling=change(self.sampling),
            parts=tuple(part.sampled(change) for part in self.parts),
            devices={kind: one.sampled(change) for kind, one in self.devices.items()},
        )

    @property
    def phases(self) -> tuple[str, ...]:
        """Every phase that is measured, in order."""
        return tuple(dict.fromkeys(point.phase for point in self.points))

    @cached_property
    def points(self) -> dict[Point, Given]:
        """Every point, and what the scenario says of it, in the order of the sweep. For a suite: of its parts, each
        once."""
        found: dict[Point, Given] = {}
        for part in self.parts:
            for point, given in part.points.items():
                found.setdefault(point, given)
        if self.parts:
            return found
        component = catalog.get(self.component)
        for given in self.swept():
            made = attempt(component, given, self.sampling)
            if any(matches(given, made, entry) for entry in self.exclude):
                continue
            if not isinstance(made, Point):
                raise made
            found[made] = given
        for entry in self.include:
            given = overlaid(self.fixed, entry)
            found.setdefault(point_of(component, given, self.sampling), given)
        return found

    def keep(self, points: dict[Point, Given]) -> None:
        """Spare `points` from being made again, by whoever has made them to check the scenario."""
        vars(self)["points"] = points  # where `cached_property` looks first

    def swept(self) -> Iterator[Given]:
        """The whole sweep, last axis fastest."""
        for values in itertools.product(*self.sweep.values()):
            yield {**self.fixed, **dict(zip(self.sweep, values, strict=True))}

    def baseline_case(self, case: Case) -> Case | None:
        """The case that `case` is compared with: the same but for `baseline`'s axes (itself, if it is the baseline).

        None without a baseline, and where there can be no such case. It need not be among the cases measured.
        """
        here = self.devices.get(kind_of(case.device), self)
        if here is not self:
            return here.baseline_case(case)
        if self.parts:
            found = (part.baseline_case(case) for part in self.parts)
            return next((baseline for baseline in found if baseline), None)
        if not self.baseline or not self.has(case):
            return None
        given = overlaid(self.points[Point.of(case)], self.baseline)
        made = attempt(catalog.get(self.component), given, self.sampling)
        return made.on(case.device) if isinstance(made, Point) else None

    def has(self, case: Case) -> bool:
        return Point.of(case) in self.devices.get(kind_of(case.device), self).points

    def sampling_of(self, case: Case) -> Sampling:
        """How a case is sampled: as the first part that has it says. Raises KeyError for another scenario's."""
        here = self.on(case.device)
        for part in here.parts or (here,):
            if part.has(case):
                return part.sampling
        raise KeyError(case.id)

    def to_dict(self) -> dict[str, Any]:
        """Everything that decides what is measured, as JSON values; not where the file lies."""
        data: dict[str, Any] = {"name": self.name, "title": self.title, "description": self.description}
        if self.devices:
            data["devices"] = {kind: one.to_dict() for kind, one in self.devices.items() if not one.unfit}
        if self.parts:
            return data | {"parts": [part.to_dict() for part in self.parts]}
        return data | {
            "component": self.component,
            "phases": list(self.phases),
            "fixed": dict(self.fixed),
            "sweep": {name: list(values) for name, values in self.sweep.items()},
            "include": [dict(entry) for entry in self.include],
            "exclude": [{name: list(values) for name, values in entry.items()} for entry in self.exclude],
            "baseline": dict(self.baseline),
            "sampling": dataclasses.asdict(self.sampling),
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Scenario:
        """The scenario that `to_dict` gave (places are not kept)."""
        return Scenario(
            name=data["name"],
            title=data["title"],
            description=data.get("description", ""),
            component=data.get("component", ""),
            fixed=dict(data.get("fixed", {})),
            sweep={name: tuple(values) for name, values in data.get("sweep", {}).items()},
            include=tuple(dict(entry) for entry in data.get("include", ())),
            exclude=tuple({name: tuple(of) for name, of in entry.items()} for entry in data.get("exclude", ())),
            baseline=dict(data.get("baseline", {})),
            sampling=Sampling(**data.get("sampling", {})),
            parts=tuple(Scenario.from_dict(part) for part in data.get("parts", ())),
            devices={kind: Scenario.from_dict(one) for kind, one in data.get("devices", {}).items()},
        )


def kind_of(device: str) -> str:
    """`cuda` for `cuda:0`."""
    return device.partition(":")[0]


def overlaid(given: Mapping[str, Value], more: Mapping[str, Value]) -> Given:
    """`given` with `more` on top; another name of the same axis gives way too."""
    return {name: value for name, value in given.items() if ALIAS.get(name) not in more} | dict(more)


def point_of(component: Component, given: Given, sampling: Sampling) -> Point:
    """What is measured at one point; unusual conditions of sampling are axes of it. Raises Missing and Impossible."""
    conditions = () if component.experiment else sampling.conditions()
    axes = (*resolve(component, given).items(), *conditions)
    phase, dtype = given.get("phase", component.phases[0]), given.get("dtype", "float32")
    return Point(component.name, str(phase), str(dtype), axes)


def attempt(component: Component, given: Given, sampling: Sampling) -> Point | Impossible | Missing:
    """`point_of`, or why there is none."""
    try:
        return point_of(component, given, sampling)
    except (Impossible, Missing) as trouble:
        return trouble


def matches(given: Given, made: Point | Exception, entry: Mapping[str, tuple[Value, ...]]) -> bool:
    """Whether a point has, for every axis of `entry`, one of its values. `made`: as from `attempt`."""
    return all(is_one_of(given, made, name, values) for name, values in entry.items())


def is_one_of(given: Given, made: Point | Exception, name: str, values: Collection[Value]) -> bool:
    """Whether an axis has one of `values`: by the name that is given, or by what follows from it."""
    if name in given and given[name] in values:
        return True
    if not isinstance(made, Point):
        return False
    if name != "kv_sharing" or made.get("kv_heads") is None:
        return made.get(name) in values
    return any(made.get("kv_heads") == shared(given, made, str(value)) for value in values)


def shared(given: Given, point: Point, sharing: str) -> int | None:
    """The KV heads that `sharing` would mean here; None where it cannot be."""
    heads, model = point.get("heads"), given.get("model")
    try:
        return kv_heads(sharing, int(heads or 0), None if model is None else str(model))
    except Impossible:
        return None
