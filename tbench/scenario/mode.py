"""The ways to run one scenario file: as written, `--quick`, `--rigorous`; each with axes replaced."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tbench.model.presets import PRESETS
from tbench.records import Sampling, Value
from tbench.scenario.axes import COUNTERPART
from tbench.scenario.mistakes import Loc, Mistakes

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
    """What is measured in one mode. `origin` says where the value of an axis comes from."""

    fixed: dict[str, Value] = field(default_factory=dict)
    sweep: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    include: list[tuple[Loc, dict[str, Value]]] = field(default_factory=list)
    origin: dict[tuple[str, Value], Origin] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    sampling: Sampling = field(default_factory=Sampling)

    def replace(self, axis: str, values: tuple[Value, ...], origins: list[Origin]) -> None:
        """Put `values` in place of what `axis` had, under whichever of its names it was written.

        Single cases of `include` that name the axis stay if their value is among the new ones.
        """
        self.origin |= {(axis, value): origin for value, origin in zip(values, origins, strict=True)}
        self.replaced.add(axis)
        names = {axis, COUNTERPART.get(axis, axis)}
        self.include = [
            (loc, entry) for loc, entry in self.include if all(entry[name] in values for name in names & set(entry))
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


def as_written(form: Mapping[str, Any], order: Mapping[str, Any]) -> Mode:
    """The mode without `--quick` or `--rigorous`. `form`: the checked file; `order`: the file, for key order."""
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
    return mode


def made(name: ModeName, form: Mapping[str, Any], order: Mapping[str, Any], mistakes: Mistakes) -> Mode:
    """One mode of a checked file; impossible samplings go to `mistakes`."""
    mode = as_written(form, order)
    section = form.get(name, {}) if name else {}
    for axis in order.get(name, {}) if name else ():
        if axis != "sampling":
            values = tuple(section[axis])
            mode.replace(axis, values, [(name, axis, index) for index in range(len(values))])
    written = [(("sampling",), form.get("sampling", {})), ((name, "sampling"), section.get("sampling", {}))]
    mode.sampling = sampling(name, written[0][1], written[1][1])
    for low, high in (("min_time", "max_time"), ("min_rounds", "max_rounds")):
        least, most = getattr(mode.sampling, low), getattr(mode.sampling, high)
        if least > most:
            loc = next(loc for loc, keys in reversed(written) if low in keys)
            mistakes.add((*loc, low), f"{low} ({least:g}) is above {high} ({most:g}); lower it or raise {high}")
    return mode


def sampling(name: ModeName, written: Mapping[str, Any], own: Mapping[str, Any]) -> Sampling:
    """Defaults, under the file's section, under what the mode means, under the mode's own section.

    Of a lower limit above its upper one, the one that came from further below gives way.
    """
    layers = (dataclasses.asdict(Sampling()), written, SAMPLING[name], own)
    values = {key: value for layer in layers for key, value in layer.items()}
    height = {key: index for index, layer in enumerate(layers) for key in layer}
    for low, high in (("min_time", "max_time"), ("min_rounds", "max_rounds")):
        if values[low] > values[high] and height[low] != height[high]:
            weak, strong = (low, high) if height[low] < height[high] else (high, low)
            values[weak] = values[strong]
    return Sampling(**values)
