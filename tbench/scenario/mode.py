"""The ways to run one scenario file: as written, `--quick`, `--rigorous`; on any device or on one kind of it; each
with axes replaced."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tbench.model.presets import PRESETS
from tbench.records import Sampling, Value
from tbench.scenario.axes import ALIAS
from tbench.scenario.model import Scenario
from tbench.scenario.options import Override
from tbench.yamlfile.mistakes import Loc, Mistakes

ModeName = Literal["", "quick", "rigorous"]
MODES: tuple[ModeName, ...] = ("", "quick", "rigorous")
SAMPLING: dict[ModeName, dict[str, Any]] = {
    "": {},
    "quick": {"target": 0.05, "max_time": 1.0},
    "rigorous": {"target": 0.01, "max_time": 30.0, "min_rounds": 10, "max_rounds": 60},
}

Origin = Loc | str  # where a value stands in the file, or the `--set` it comes from


@dataclass
class Mode:
    """What is measured in one mode. `origin` says where the value of an axis comes from; `replaced`: which axes come
    from a section of the mode, or from a `--set`. `kind`: of device, where the file has a section for it."""

    name: ModeName = ""
    kind: str = ""
    fixed: dict[str, Value] = field(default_factory=dict)
    sweep: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    include: list[tuple[Loc, dict[str, Value]]] = field(default_factory=list)
    exclude: list[tuple[Loc, Mapping[str, Sequence[Value]]]] = field(default_factory=list)
    origin: dict[tuple[str, Value], Origin] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    sampling: Sampling = field(default_factory=Sampling)

    def replace(self, axis: str, values: tuple[Value, ...], origins: list[Origin]) -> None:
        """Put `values` in place of what `axis` had, under whichever of its names it was written.

        Single cases of `include` that name the axis stay if their value is among the new ones.
        """
        self.origin |= {(axis, value): origin for value, origin in zip(values, origins, strict=True)}
        self.replaced.add(axis)
        names = {axis, ALIAS.get(axis, axis)}
        kept = set(values)
        self.include = [
            (loc, entry) for loc, entry in self.include if all(entry[name] in kept for name in names & set(entry))
        ]
        for name in names:
            self.fixed.pop(name, None)
        if axis == "model":  # a model that was asked for on the way in is not hidden by sizes written in the file
            filled = {size for value in values for size in PRESETS[str(value)].axes(self.fixed)}
            self.fixed = {name: value for name, value in self.fixed.items() if name not in filled}
        if any(name in self.sweep for name in names):
            self.sweep = {
                (axis if name in names else name): (values if name in names else swept)
                for name, swept in self.sweep.items()
            }
        elif len(values) == 1:
            self.fixed[axis] = values[0]
        else:
            self.sweep[axis] = values

    def has_cases_of(self, other: Mode) -> bool:
        """Whether both measure the same cases, if perhaps not as long."""
        own, theirs = ((m.fixed, m.sweep, m.include, m.exclude, m.sampling.conditions()) for m in (self, other))
        return own == theirs

    def scenario(self, form: Mapping[str, Any], path: str, lines: Mapping[str, int]) -> Scenario:
        """The scenario in this mode. `form`: the checked file."""
        return Scenario(
            name=form["name"],
            title=form.get("title", form["name"]),
            description=form.get("description", ""),
            component=form["component"],
            fixed=self.fixed,
            sweep=self.sweep,
            include=tuple(entry for _, entry in self.include),
            exclude=tuple({axis: tuple(values) for axis, values in entry.items()} for _, entry in self.exclude),
            baseline=form.get("baseline", {}),
            sampling=self.sampling,
            path=path,
            lines=lines,
        )


def mode_of(
    name: ModeName,
    kind: str,
    form: Mapping[str, Any],
    order: Mapping[str, Any],
    suite: Mapping[str, Any],
    overrides: Sequence[tuple[Override, tuple[Value, ...]]],
    mistakes: Mistakes,
) -> Mode:
    """One mode of a checked file, with every `--set` and its values; impossible samplings go to `mistakes`.

    `kind`: of device, whose section applies; none if empty. Where it has a section for the mode, that one and not
    the file counts. `form`: the checked file; `order`: the file, for the order of its keys; `suite`: the
    sampling of the suite around it.
    """
    mode = as_written(form, order)
    mode.name, mode.kind = name, kind
    own = form.get(kind, {})
    if kind:
        put_on_top(mode, kind, own, order[kind])
    within: Loc = (kind,) if name in own else ()
    source, keys = (own, order[kind]) if within else (form, order)
    section = source.get(name, {}) if name else {}
    for axis in keys.get(name, {}) if name else ():
        if axis != "sampling":
            values = tuple(section[axis])
            mode.replace(axis, values, [(*within, name, axis, index) for index in range(len(values))])
    written: list[tuple[Loc, Mapping[str, Any]]] = [
        (("sampling",), form.get("sampling", {})),
        ((kind, "sampling"), own.get("sampling", {})),
        ((*within, name, "sampling"), section.get("sampling", {})),
    ]
    mode.sampling = sampling(name, written[0][1], written[1][1], suite, written[2][1])
    crossed(mode.sampling, written, mistakes)
    for override, replacing in overrides:
        mode.replace(override.axis, replacing, [override.label] * len(replacing))
    return mode


def crossed(found: Sampling, written: Sequence[tuple[Loc, Mapping[str, Any]]], mistakes: Mistakes) -> None:
    """Lower limits above their upper ones, told where they are written."""
    for low, high in (("min_time", "max_time"), ("min_rounds", "max_rounds")):
        least, most = getattr(found, low), getattr(found, high)
        loc = next((loc for loc, keys in reversed(written) if low in keys), None)
        if least > most and loc is not None:
            mistakes.add((*loc, low), f"{low} ({least:g}) is above {high} ({most:g}); lower it or raise {high}")


def put_on_top(mode: Mode, kind: str, own: Mapping[str, Any], order: Mapping[str, Any]) -> None:
    """Apply the section of a kind of device: axes one by one, `include` and `exclude` as a whole."""
    for axis, value in own.get("fixed", {}).items():
        mode.replace(axis, (value,), [(kind, "fixed", axis)])
    for axis in order.get("sweep", {}):
        values = tuple(own["sweep"][axis])
        mode.replace(axis, values, [(kind, "sweep", axis, index) for index in range(len(values))])
    mode.replaced.clear()
    if "include" in own:
        mode.include = [((kind, "include", index), dict(entry)) for index, entry in enumerate(own["include"])]
    if "exclude" in own:
        mode.exclude = [((kind, "exclude", index), entry) for index, entry in enumerate(own["exclude"])]


def as_written(form: Mapping[str, Any], order: Mapping[str, Any]) -> Mode:
    """The mode without `--quick` or `--rigorous`, and nothing set."""
    mode = Mode()
    phases = form.get("phase", [])
    listed = isinstance(order.get("phase"), list)
    mode.origin |= {("phase", value): ("phase", index) if listed else ("phase",) for index, value in enumerate(phases)}
    if len(phases) > 1:
        mode.sweep["phase"] = tuple(phases)
    elif phases:
        mode.fixed["phase"] = phases[0]
    if "model" in form:
        mode.fixed["model"] = form["model"]
        mode.origin["model", form["model"]] = ("model",)
    for axis, value in form.get("fixed", {}).items():
        mode.fixed[axis] = value
        mode.origin[axis, value] = ("fixed", axis)
    for axis in order.get("sweep", {}):
        values = form["sweep"][axis]
        mode.sweep[axis] = tuple(values)
        mode.origin |= {(axis, value): ("sweep", axis, index) for index, value in enumerate(values)}
    mode.include = [(("include", index), dict(entry)) for index, entry in enumerate(form.get("include", []))]
    mode.exclude = [(("exclude", index), entry) for index, entry in enumerate(form.get("exclude", []))]
    return mode


def sampling(
    name: ModeName,
    written: Mapping[str, Any],
    device: Mapping[str, Any],
    suite: Mapping[str, Any],
    own: Mapping[str, Any],
) -> Sampling:
    """Defaults, under the file's section, that of a device, the suite's, what the mode means, the mode's own section.

    Where a lower limit ends up above its upper one (`max_time: 0.1` in the file, `min_time` by default), the one from
    the weaker layer is set to the other. Both from one layer are left for `mode_of` to complain of.
    """
    layers = (dataclasses.asdict(Sampling()), written, device, suite, SAMPLING[name], own)
    values = {key: value for layer in layers for key, value in layer.items()}
    height = {key: index for index, layer in enumerate(layers) for key in layer}
    for low, high in (("min_time", "max_time"), ("min_rounds", "max_rounds")):
        if values[low] > values[high] and height[low] != height[high]:
            weak, strong = (low, high) if height[low] < height[high] else (high, low)
            values[weak] = values[strong]
    return Sampling(**values)
