"""The axes a scenario may name: a component's own, and those every component shares.

`phase`, `dtype`: part of every case. `model`: a preset that fills in sizes. `kv_sharing`: kv_heads by name.
Each axis turns what stands in YAML (or after `--set`, `-k`) into its one canonical value, or says what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tbench.components.own import FORMS, PATTERN, place
from tbench.components.registry import DTYPES, Axis, Component, Impossible
from tbench.model.presets import PRESETS
from tbench.records import Value
from tbench.yamlfile.mistakes import did_you_mean, shown

LARGEST = 10**12
ALIAS = {"kv_heads": "kv_sharing", "kv_sharing": "kv_heads"}  # two names of one thing
KV_SHARING = re.compile(r"mha|mqa|gqa|gqa:[1-9][0-9]{0,11}")
SPELLINGS = {
    "fp32": "float32",
    "float": "float32",
    "f32": "float32",
    "bf16": "bfloat16",
    "fp16": "float16",
    "f16": "float16",
    "half": "float16",
}


# Names that axes had before, and what to write now: an axis first.
RENAMED = {
    "placement": "norm_position",
    "position": "position_encoding",
    "inner": "ffn_hidden, the feed-forward width as built (for a gated layer about 2/3 of the old one)",
    "width": "ffn_hidden, the feed-forward width as built (default 4 · hidden; gated layers 2/3 of it)",
    "ffn_matrices": "activation: swiglu for three matrices, gelu for two",
}


def unknown_axis(name: object, known: Iterable[str]) -> str:
    """What is wrong with an axis that a component does not have, and what to write instead."""
    known = tuple(known)
    new = RENAMED.get(name, "") if isinstance(name, str) else ""
    if re.split("[,:]", new)[0] in known:
        return f"{shown(name)} was renamed: write {new}"
    return f"unknown axis {shown(name)}{did_you_mean(name, known)}"


@dataclass(frozen=True)
class AxisField:
    """One axis as a scenario file may name it. `parse` raises ValueError with a sentence; `schema` is JSON Schema."""

    name: str
    help: str
    parse: Callable[[Any], Value]
    schema: Mapping[str, Any]


def axis_fields(component: Component) -> dict[str, AxisField]:
    """Every axis a scenario of `component` may fix, sweep or name, in the order it is best written."""
    names = [axis.name for axis in component.axes]
    fields = [
        choice("phase", component.phases, f"a phase of {component.name}", "what is timed"),
        choice("dtype", DTYPES, "a dtype", "dtype of the inputs"),
    ]
    if any(preset.axes(names) for preset in PRESETS.values()):
        fields.append(choice("model", tuple(PRESETS), "a model preset", "model preset that fills in sizes"))
    fields += [component_field(component, axis) for axis in component.axes]
    if {"heads", "kv_heads"} <= set(names):
        schema = {"type": "string", "pattern": f"^({KV_SHARING.pattern})$", "examples": ["mha", "gqa", "gqa:8", "mqa"]}
        fields.append(
            AxisField("kv_sharing", "kv_heads by name: mha, gqa, gqa:N (N KV heads), mqa", kv_sharing, schema)
        )
    return {field.name: field for field in fields}


def component_field(component: Component, axis: Axis) -> AxisField:
    """An axis of the component."""
    if axis.name == component.variant_axis:
        return variant(component, axis)
    schema = {"description": axis.help, **axis.schema} if axis.schema else None
    if axis.parse is not None:
        return AxisField(axis.name, axis.help, axis.parse, schema or {"description": axis.help})
    if axis.kind == "int":
        counted = {"type": "integer", "minimum": 1, "maximum": LARGEST, "description": axis.help}
        return AxisField(axis.name, axis.help, positive_integer, schema or counted)
    if axis.kind == "bool":
        return AxisField(axis.name, axis.help, boolean, schema or {"type": "boolean", "description": axis.help})
    return choice(axis.name, axis.choices, f"a {axis.name}", axis.help)


def variant(component: Component, axis: Axis) -> AxisField:
    """The axis of variants: their names, and where the component takes some, the places of the user's own."""
    names = (*component.variants, *component.offered)
    known = choice(axis.name, names, f"a {axis.name} of {component.name}", axis.help)
    if component.own is None:
        return known

    def parse(value: Any) -> Value:
        named = place(value) if isinstance(value, str) and value not in names else None
        if named is not None:
            return str(named)
        try:
            return known.parse(value)
        except ValueError as error:
            meant = isinstance(value, str) and (":" in value or "/" in value or value.endswith(".py"))
            raise ValueError(f"{error}; a custom kernel is written {FORMS}" if meant else str(error)) from None

    forms = [{"enum": list(names)}, {"type": "string", "pattern": f"^(?:{PATTERN})$", "description": FORMS}]
    return AxisField(axis.name, axis.help, parse, {"anyOf": forms, "description": axis.help})


def choice(name: str, choices: tuple[str, ...], what: str, help: str) -> AxisField:
    """An axis with a list of possible values; `what` completes "… is not …"."""

    def parse(value: Any) -> Value:
        if isinstance(value, str) and value in choices:
            return value
        hint = did_you_mean(value, choices)
        if SPELLINGS.get(str(value).lower()) in choices:
            hint = f"; did you mean {SPELLINGS[str(value).lower()]!r}?"
        raise ValueError(f"{shown(value)} is not {what}{hint}")

    return AxisField(name, help, parse, {"enum": list(choices), "description": help})


def positive_integer(value: Any) -> Value:
    if isinstance(value, bool) or not isinstance(value, int):
        whole = isinstance(value, float) and value.is_integer() and 1 <= value <= LARGEST
        remedy = f"; write {int(value)}" if whole else ""
        raise ValueError(f"{shown(value)} is not a whole number{remedy}")
    if not 1 <= value <= LARGEST:
        raise ValueError(f"{value} is not between 1 and {LARGEST}")
    return value


def boolean(value: Any) -> Value:
    if not isinstance(value, bool):
        raise ValueError(f"{shown(value)} is neither true nor false; write one of them, without quotes")
    return value


def kv_sharing(value: Any) -> Value:
    if not isinstance(value, str) or not KV_SHARING.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a way to share KV heads; write mha, mqa, gqa, or gqa:8 for 8 KV heads")
    return value


def kv_heads(sharing: str, heads: int, model: str | None) -> int:
    """The number of KV heads that `sharing` means for so many query heads. Raises Impossible."""
    if sharing == "mha":
        return heads
    if sharing == "mqa":
        return 1
    if sharing.startswith("gqa:"):
        return int(sharing.removeprefix("gqa:"))
    if model is not None:
        preset = PRESETS[model].config
        if preset.kv_heads == preset.heads:
            raise Impossible("kv_sharing", f"{model} has one KV head per head, so plain gqa is undefined; write gqa:N")
        return preset.kv_heads
    if heads % 4:
        raise Impossible(
            "kv_sharing", f"gqa is a quarter of the heads, and {heads} is not a multiple of 4; write gqa:N"
        )
    return heads // 4


class Missing(ValueError):
    """Axes without a value, a default or a way to follow from others."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(", ".join(self.names))


def resolve(component: Component, given: Mapping[str, Value]) -> dict[str, Value]:
    """A value for every axis of `component`, in its order, from what a scenario says at one point.

    What is said wins over the model preset, and that over defaults. Raises Missing, and Impossible with the axis.
    """
    names = [axis.name for axis in component.axes]
    values: dict[str, Any] = {axis.name: axis.default for axis in component.axes if axis.default is not None}
    model = given.get("model")
    if model is not None:
        values |= PRESETS[str(model)].axes(names)
    values |= {name: value for name, value in given.items() if name in names}
    sharing = given.get("kv_sharing")
    if sharing is not None:
        if "heads" not in values:
            raise Missing(["heads"])
        values["kv_heads"] = kv_heads(str(sharing), int(values["heads"]), None if model is None else str(model))
    try:
        complete = component.complete(values)
    except KeyError:  # a value that others follow from is not there
        raise Missing(name for name in names if name not in values) from None
    missing = [name for name in names if complete.get(name) is None]
    if missing:
        raise Missing(missing)
    for name in names:  # a design that the model's switches are not, say
        if model is not None and name in given and complete[name] != given[name]:
            raise Impossible(name, f"{model} sets what {name}={given[name]} would set differently; write one of them")
    phase = given.get("phase", component.phases[0])
    for axis in component.axes:
        if axis.phases and phase not in axis.phases and complete[axis.name] != axis.default:
            raise Impossible(axis.name, f"{axis.name}={complete[axis.name]} is for {' and '.join(axis.phases)} only")
    return {axis.name: complete[axis.name] for axis in component.axes if axis.unusual(complete[axis.name])}
