"""What only the whole scenario can tell: axes given twice, impossible and equal cases, baselines that are not there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tbench.components.registry import Component, Impossible
from tbench.records import Value, text
from tbench.scenario.axes import ALIAS, Missing
from tbench.scenario.mode import Mode, Origin
from tbench.scenario.model import KINDS, Given, Point, Scenario, attempt, is_one_of, matches, overlaid
from tbench.yamlfile.mistakes import Loc, Mistakes, shown

MOST_CASES = 20_000


def overlaps(data: Mapping[str, Any], mistakes: Mistakes) -> None:
    """An axis, under either of its names, must be given once. `data`: the file, not yet checked."""
    top: dict[str, list[Loc]] = {key: [(key,)] for key in ("phase", "model") if key in data}
    once((), data, top, mistakes)
    for kind, own in of_devices(data):
        once((kind,), own, {}, mistakes)


def of_devices(data: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The sections for kinds of devices, where they are mappings."""
    return [(kind, data[kind]) for kind in KINDS if isinstance(data.get(kind), dict)]


def once(within: Loc, data: Mapping[str, Any], places: dict[str, list[Loc]], mistakes: Mistakes) -> None:
    """The same within the file or the section of a device. `places`: of axes that are given already."""
    for section in ("fixed", "sweep"):
        if isinstance(data.get(section), dict):
            for axis in data[section]:
                places.setdefault(axis, []).append((*within, section, axis))
    for axis, locs in places.items():
        for loc in locs[1:]:
            mistakes.add(loc, f"{shown(axis)} is given already, {at(mistakes, locs[0])}; remove one", at_key=True)
    if "kv_heads" in places and "kv_sharing" in places:
        first, second = sorted((places["kv_heads"][0], places["kv_sharing"][0]), key=lambda loc: mistakes.place(loc))
        mistakes.add(second, f"kv_heads and kv_sharing are one axis ({at(mistakes, first)}); remove one", at_key=True)
    entries: list[tuple[Loc, Any]] = [((*within, name), data.get(name)) for name in ("baseline", "quick", "rigorous")]
    included = data.get("include")
    entries += [
        ((*within, "include", index), entry)
        for index, entry in enumerate(included if isinstance(included, list) else ())
    ]
    for loc, entry in entries:
        if isinstance(entry, dict) and {"kv_heads", "kv_sharing"} <= set(entry):
            mistakes.add(loc, "kv_heads and kv_sharing are one axis; remove one")


def at(mistakes: Mistakes, loc: Loc) -> str:
    line, column = mistakes.place(loc, at_key=True)
    return f"at {line}:{column}"


def repetitions(form: Mapping[str, Any], mistakes: Mistakes) -> None:
    """A list of canonical values must not hold one twice. `form`: the checked file."""
    lists: list[tuple[Loc, Any]] = [(("phase",), form.get("phase", []))]
    sections: list[tuple[Loc, Mapping[str, Any]]] = []
    homes: list[tuple[Loc, Mapping[str, Any]]] = [((), form), *(((kind,), own) for kind, own in of_devices(form))]
    for within, home in homes:
        sections += [((*within, name), home.get(name, {})) for name in ("sweep", "quick", "rigorous")]
        sections += [((*within, "exclude", index), entry) for index, entry in enumerate(home.get("exclude", []))]
    lists += [((*loc, axis), values) for loc, of in sections for axis, values in of.items() if axis != "sampling"]
    for loc, values in lists:
        seen: set[Value] = set()
        for index, value in enumerate(values):
            if value in seen:
                mistakes.add((*loc, index), f"{text(value)} is given twice; remove one")
            seen.add(value)


class Checker:
    """Checks one mode of a scenario. `strict`: nothing was replaced from outside, so that all of it must make sense."""

    def __init__(self, component: Component, mode: Mode, strict: bool, mistakes: Mistakes) -> None:
        self.component, self.mode, self.strict, self.mistakes = component, mode, strict, mistakes
        self.points: dict[Point, Given] = {}

    def say(self, origin: Origin, message: str) -> None:
        if isinstance(origin, str):
            self.mistakes.elsewhere.append(f"{origin}: {message}")
        else:
            self.mistakes.add(origin, message)

    def whole(self, loc: Loc, message: str) -> None:
        """A mistake of the mode as a whole. Told only where nothing else is wrong: it may follow from that."""
        if not self.mistakes.any():
            self.mistakes.add(loc, message, at_key=True)

    def check(self, scenario: Scenario) -> set[Loc]:
        """Everything. Returns which entries of `exclude` match a case. A scenario without mistakes keeps its points."""
        used: set[Loc] = set()
        count = math.prod(len(values) for values in scenario.sweep.values())
        if count > MOST_CASES:
            self.whole(("sweep",), f"{count} cases{self.option}; {MOST_CASES} at most, sweep fewer values")
            return used
        for given in scenario.swept():
            made = attempt(self.component, given, scenario.sampling)
            entries = zip(self.mode.exclude, scenario.exclude, strict=True)
            hits = {loc for (loc, _), entry in entries if matches(given, made, entry)}
            used |= hits
            if hits:
                continue
            if not isinstance(made, Point):
                self.say(*self.placed(made, given, None))
            elif made in self.points:
                self.same(self.points[made], given)
            else:
                self.points[made] = given
        for loc, entry in self.mode.include:
            self.included(loc, entry, scenario)
        if not self.points:
            self.whole(("exclude",), f"no case is left{self.option}: all cases are excluded")
        elif self.strict:
            self.baseline(scenario.baseline)
        if not self.mistakes.any():
            scenario.keep(self.points)
        return used

    @property
    def option(self) -> str:
        return (f" with --{self.mode.name}" if self.mode.name else "") + (
            f" on {self.mode.kind}" if self.mode.kind else ""
        )

    def placed(self, trouble: Missing | Impossible, given: Given, entry: Loc | None) -> tuple[Origin, str]:
        """Where to point for a point that makes no case, and what to say. `entry`: the place of an included one."""
        if isinstance(trouble, Missing):
            names = " and ".join(trouble.names)
            where = "this entry or fixed" if entry else "fixed or sweep"
            return entry or (
                "component",
            ), f"{names} {'is' if len(trouble.names) == 1 else 'are'} not given; add to {where}"
        for name in (trouble.axis, ALIAS.get(trouble.axis, ""), "model"):
            if entry is not None and (*entry, name) in self.mistakes.values:
                return (*entry, name), f"{name}: {trouble}"
            if name in given and (name, given[name]) in self.mode.origin:
                return self.mode.origin[name, given[name]], f"{name}: {trouble}"
        return entry or ("component",), f"{trouble.axis}: {trouble}"

    def same(self, first: Given, second: Given) -> None:
        names = [name for name in second if first.get(name) != second[name]]
        told = " ".join(f"{name}={text(first[name])}" for name in names if name in first)
        for name in names:
            if (name, second[name]) in self.mode.origin:
                self.say(
                    self.mode.origin[name, second[name]],
                    f"{name}: {text(second[name])} is the same case as {told}; remove one or exclude it",
                )
                return

    def included(self, loc: Loc, entry: Mapping[str, Value], scenario: Scenario) -> None:
        given = overlaid(scenario.fixed, entry)
        for name in ("phase", "dtype"):
            if name in scenario.sweep and name not in given:
                self.mistakes.add(loc, f"{name} is swept; say which one this case has")
                return
        made = attempt(self.component, given, scenario.sampling)
        if not isinstance(made, Point):
            self.say(*self.placed(made, given, loc))
        elif made not in self.points:
            self.points[made] = given
        elif self.strict and not self.mode.replaced:
            self.mistakes.add(loc, "the sweep has this case already; remove it")

    def baseline(self, baseline: Mapping[str, Value]) -> None:
        """The baseline must be among the cases, and not all of them."""
        for name, value in baseline.items():
            here = [is_one_of(given, point, name, (value,)) for point, given in self.points.items()]
            if not any(here):
                having = dict.fromkeys(given.get(name, point.get(name)) for point, given in self.points.items())
                there = [text(one) for one in having if one is not None]
                is_ = f"{name} is {', '.join(there[:12])}" if there else f"no case has {name}"
                return self.whole(("baseline", name), f"no case{self.option} has {name}={text(value)}: {is_}")
            if all(here) and not self.mode.name:
                told = f"every case has {name}={text(value)}; sweep {name}, or drop it here"
                return self.whole(("baseline", name), told)
        entry = {name: (value,) for name, value in baseline.items()}
        if not any(matches(given, point, entry) for point, given in self.points.items()):
            told = " ".join(f"{name}={text(value)}" for name, value in baseline.items())
            self.whole(("baseline",), f"no case{self.option} has {told} together; is it excluded?")
        return None
