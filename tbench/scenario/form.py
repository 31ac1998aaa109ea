"""What may stand where in a scenario file: pydantic models made from a component's axes, and what they refuse.

The models also give the JSON Schema. Pydantic's errors are reworded for whoever wrote the file.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from tbench.catalog import COMPONENTS
from tbench.components.registry import Component
from tbench.records import Sampling
from tbench.scenario.axes import AxisField, axis_fields, unknown_axis
from tbench.scenario.model import KINDS
from tbench.yamlfile.mistakes import Loc, Mistakes, did_you_mean, shown
from tbench.yamlfile.reader import REFUSED

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SAID = "said"  # type of an error whose message is for the user as it is
PASSED_OVER = "refused"  # type of an error that has been told already
SKIPPED: Any = None  # the default of optional keys; never read, only keys that are set are
ABOUT_SAMPLING = {
    "target": "relative half-width of the 95% interval of the median at which to stop",
    "min_time": "seconds of samples per case, at least",
    "max_time": "seconds of samples per case, at most",
    "min_rounds": "fresh processes per case, at least",
    "max_rounds": "fresh processes per case, at most",
    "warmup": "seconds of calls before each round's samples",
    "turns": "turns per case and round",
    "turn_time": "seconds of samples per turn",
    "timeout": "seconds any single step may take",
    "cache": "hot, or cold: inputs come from memory; auto: cold in decode, hot elsewhere",
    "allocator": "on a CPU: kept holds on to freed memory, default returns it to the system",
    "launch": "on a GPU: ahead measures the device alone, eager what a Python program sees, graph a CUDA graph",
    "fp32_precision": "on a GPU: ieee, or tf32 for products of float32 matrices on tensor cores",
}
MAY_BE_ZERO = ("min_time", "warmup")
LARGEST_NUMBER = 1e6
WANTED = {"list_type": "a list", "model_type": "a mapping", "dict_type": "a mapping"}


def validated(data: Mapping[str, Any], component: Component | None, mistakes: Mistakes) -> dict[str, Any]:
    """The file's values, canonical, only those keys that are given. `component` None: a suite.

    What is wrong goes to `mistakes`; then the result is empty.
    """
    model = suite_model() if component is None else scenario_model(component)
    axes = () if component is None else tuple(axis_fields(component))
    try:
        form: dict[str, Any] = model.model_validate(data).model_dump(exclude_unset=True)
    except ValidationError as errors:
        for error in errors.errors(include_url=False):
            tell(error, model, axes, mistakes)
        return {}
    return form


def tell(error: Mapping[str, Any], model: type[Section], axes: Iterable[str], mistakes: Mistakes) -> None:
    """One of pydantic's errors, with its place."""
    loc: Loc = error["loc"]
    kind, found = error["type"], error["input"]
    name = next((step for step in reversed(loc) if isinstance(step, str)), "")
    if kind == PASSED_OVER or found is REFUSED:
        if not mistakes.found:  # cannot be: it was refused because it was told
            raise AssertionError(f"refused without a word: {loc}")
    elif kind == SAID:
        mistakes.add(loc, f"{name}: {error['ctx']['sentence']}")
    elif kind == "extra_forbidden":
        mistakes.add(loc, unknown(loc, list(model.model_fields), list(axes)), at_key=True)
    elif kind == "missing":
        mistakes.add(loc[:-1], f"{name} is missing; add `{name}: …`")
    elif kind == "too_short":
        mistakes.add(loc, f"{name}: an empty list; give at least one value, or remove the key")
    elif kind == "list_type" and "sweep" in loc[:2]:
        mistakes.add(loc, f"{name}: a list is needed, not {shown(found)}; one value belongs under fixed")
    elif kind in WANTED:
        mistakes.add(loc, f"{name}: {WANTED[kind]} is needed, not {shown(found)}")
    else:
        mistakes.add(loc, f"{name}: {error['msg']}")


def unknown(loc: Loc, top: list[str], axes: list[str]) -> str:
    """What to say of a key that does not belong where it stands."""
    key, around = str(loc[-1]), loc[:-1]
    if not around:
        if key in axes:
            return f"{shown(key)} is an axis; write it under fixed or sweep"
        if not axes and key in top_keys():
            return f"{shown(key)} cannot stand next to parts; write it in one of the parts"
        return f"unknown key {shown(key)}{did_you_mean(key, top)}"
    if len(around) == 1 and around[0] in KINDS and key in axes:
        return f"{shown(key)} is an axis; write it under fixed or sweep of {around[0]}"
    if not axes and around[-1] == "quick":
        return f"{shown(key)} does not belong under quick of a suite, which names parts; write it in one of those"
    if around[-1] == "sampling":
        return f"unknown key {shown(key)}{did_you_mean(key, sampling_model().model_fields)}"
    if key in top:
        return f"{shown(key)} does not belong under {around[0]}; move it to the top level"
    return unknown_axis(key, axes)


def scenario_model(component: Component) -> type[Section]:
    """A scenario file that measures `component`."""
    axes = axis_fields(component)
    title = component.name.title().replace("_", "").replace("-", "")

    def value(axis: AxisField) -> Any:
        return value_type(axis.parse, dict(axis.schema))

    def values(axis: AxisField) -> Any:
        return list_of(value(axis), min_length=1, json_schema_extra={"uniqueItems": True})

    def section(kind: str, type_of: Callable[[AxisField], Any], **more: Any) -> Any:
        fields: dict[str, Any] = {axis.name: (type_of(axis), SKIPPED) for axis in axes.values()}
        return create_model(f"{title}{kind}", __base__=Section, **fields, **more)

    fixed, sweep, match = section("Fixed", value), section("Sweep", values), section("Match", one_or_more)
    mode = section("Mode", values, sampling=(sampling_model(), SKIPPED))
    modes = {
        "quick": optional(mode, "axes and sampling that --quick replaces"),
        "rigorous": optional(mode, "axes and sampling that --rigorous replaces"),
    }
    named: Any = Annotated[Literal[component.name], Field(description=component.about)]
    fields: dict[str, Any] = {**HEAD, "component": (named, ...), "phase": (one_or_more(axes["phase"]), SKIPPED)}
    if "model" in axes:
        fields["model"] = (value(axes["model"]), SKIPPED)
    of_a_device: dict[str, Any] = {
        "fixed": optional(fixed, "axes with one value"),
        "sweep": optional(sweep, "axes with several values: their product, in this order, the last fastest"),
        "include": optional(list_of(fixed), "single cases on top of fixed"),
        "exclude": optional(list_of(match), "cases to leave out: those that match all of an entry"),
        "sampling": optional(sampling_model(), "when to stop measuring a case"),
        **modes,
    }
    on_device = create_model(f"{title}OnDevice", __base__=Section, **of_a_device)
    fields |= {
        **of_a_device,
        "baseline": optional(fixed, "what speed-up and memory ratio are relative to, all other axes equal"),
        **{kind: optional(on_device, f"what replaces the above on a {kind} device") for kind in KINDS},
    }
    return create_model(f"{title}Scenario", __base__=Section, **fields)


@cache
def suite_model() -> type[Section]:
    """A scenario file that lists others."""
    file = value_type(part, {"type": "string"})
    parts = list_of(file, min_length=1, description="scenario files, relative to this one")
    quick = {"quick": optional(create_model("SuiteMode", __base__=Section, parts=(parts, ...)), "the parts of --quick")}
    listed: dict[str, Any] = {"parts": (parts, ...), **quick}
    on_device = create_model("SuiteOnDevice", __base__=Section, **listed)
    fields: dict[str, Any] = {**HEAD, **listed}
    fields["sampling"] = optional(sampling_model(), "when to stop measuring a case, in place of what the parts say")
    fields |= {kind: optional(on_device, f"the parts on a {kind} device") for kind in KINDS}
    return create_model("Suite", __base__=Section, **fields)


@cache
def top_keys() -> tuple[str, ...]:
    """Every key that may stand at the left edge of a file, a scenario's or a suite's."""
    models = [*map(scenario_model, COMPONENTS.values()), suite_model()]
    return tuple(dict.fromkeys(key for model in models for key in model.model_fields))


@cache
def sampling_model() -> type[Section]:
    """The `sampling` section: fields of `records.Sampling`, all optional."""
    hints = get_type_hints(Sampling)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(Sampling):
        about = ABOUT_SAMPLING[field.name]
        hint = hints[field.name]
        if hint is int:
            schema = {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER, "description": about}
            fields[field.name] = (value_type(count, schema), SKIPPED)
        elif hint is float:
            low = "minimum" if field.name in MAY_BE_ZERO else "exclusiveMinimum"
            highest = 1 if field.name == "target" else LARGEST_NUMBER
            schema = {"type": "number", low: 0, "maximum": highest, "description": about}
            fields[field.name] = (value_type(number(low == "minimum", highest), schema), SKIPPED)
        else:
            choices = get_args(hint)
            fields[field.name] = (value_type(one_of(choices), {"enum": list(choices), "description": about}), SKIPPED)
    return create_model("Sampling", __base__=Section, **fields)


def count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST_NUMBER:
        raise ValueError(f"{shown(value)} is not a whole number from 1 to {LARGEST_NUMBER:.0f}")
    return value


def number(zero: bool, highest: float) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not known or value > highest or value < 0 or (value == 0 and not zero):
            raise ValueError(f"{shown(value)} is not a number {'from 0' if zero else 'above 0'} to {highest:.0f}")
        return float(value)

    return parse


def one_of(choices: tuple[str, ...]) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"{shown(value)} is neither {' nor '.join(choices)}")
        return str(value)

    return parse


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


def value_type(parse: Callable[[Any], Any], schema: dict[str, Any]) -> Any:
    """A type whose values go through `parse`, which raises ValueError with a sentence."""

    def checked(value: Any) -> Any:
        if holds_refused(value):
            raise PydanticCustomError(PASSED_OVER, "refused")
        try:
            return parse(value)
        except ValueError as error:
            raise PydanticCustomError(SAID, "{sentence}", {"sentence": str(error)}) from None

    return Annotated[Any, PlainValidator(checked), WithJsonSchema(schema)]


def holds_refused(value: Any) -> bool:
    """Whether a value, or anything in it, was refused when it was read."""
    if isinstance(value, dict):
        return any(holds_refused(inner) for inner in value.values())
    if isinstance(value, list):
        return any(holds_refused(inner) for inner in value)
    return value is REFUSED


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def list_of(item: Any, **more: Any) -> Any:
    """A list of `item`. `more`: as for pydantic's Field."""
    return Annotated[list[item], Field(**more)]


def one_or_more(axis: AxisField) -> Any:
    """A type that takes a value or a list of values, and gives a list."""
    schema = dict(axis.schema)
    several = {"type": "array", "items": schema, "minItems": 1, "uniqueItems": True}
    either = WithJsonSchema({"anyOf": [schema, several]})
    return Annotated[list_of(value_type(axis.parse, schema), min_length=1), BeforeValidator(as_list), either]


def optional(type_: Any, about: str) -> tuple[Any, Any]:
    """A key that may be left out, with its description in the schema."""
    return Annotated[type_, Field(description=about)], SKIPPED


def text_line(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not text; put it in quotes")
    return value


def name(value: Any) -> str:
    if not NAME.fullmatch(text_line(value)):
        raise ValueError(f"{shown(value)} cannot name a folder; use letters, digits, -, _ and .")
    return str(value)


def version(value: Any) -> int:
    if isinstance(value, bool) or value != 1:
        raise ValueError(f"{shown(value)} is not a version this tbench reads; write 1")
    return 1


def part(value: Any) -> str:
    if not text_line(value).strip() or "\0" in value:
        raise ValueError(f"{shown(value)} is not a file; name a scenario file")
    return str(value)


HEAD: dict[str, Any] = {  # every file has these
    "version": (value_type(version, {"const": 1, "description": "version of this format"}), ...),
    "name": (
        value_type(name, {"type": "string", "pattern": f"^{NAME.pattern}$", "description": "names the run folder"}),
        ...,
    ),
    "title": (value_type(text_line, {"type": "string", "description": "title above the table"}), SKIPPED),
    "description": (value_type(text_line, {"type": "string", "description": "what the scenario is for"}), SKIPPED),
}
