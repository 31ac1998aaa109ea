"""Pydantic models of a scenario file, made from a component's axes: what may stand where, and its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, create_model

from tbench.catalog import COMPONENTS
from tbench.components.registry import Component
from tbench.scenario.axes import Word, vocabulary
from tbench.scenario.leaf import SKIPPED, Section, leaf
from tbench.scenario.sampling import sampling_model
from tbench.yamlfile.mistakes import shown

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def list_of(item: Any, **more: Any) -> Any:
    """A list of `item`. `more`: as for pydantic's Field."""
    return Annotated[list[item], Field(**more)]


def one_or_more(word: Word) -> Any:
    """A type that takes a value or a list of values, and gives a list."""
    schema = dict(word.schema)
    several = {"type": "array", "items": schema, "minItems": 1, "uniqueItems": True}
    either = WithJsonSchema({"anyOf": [schema, several]})
    return Annotated[list_of(leaf(word.parse, schema), min_length=1), BeforeValidator(listed), either]


def optional(type_: Any, about: str) -> tuple[Any, Any]:
    """A key that may be left out, with its description in the schema."""
    return Annotated[type_, Field(description=about)], SKIPPED


def text_line(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not text; put it into quotes")
    return value


def name(value: Any) -> str:
    if not NAME.fullmatch(text_line(value)):
        raise ValueError(f"{shown(value)} cannot name a folder; use letters, digits, - and _")
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
    "version": (leaf(version, {"const": 1, "description": "version of this form"}), ...),
    "name": (
        leaf(name, {"type": "string", "pattern": f"^{NAME.pattern}$", "description": "names the run folder"}),
        ...,
    ),
    "title": (leaf(text_line, {"type": "string", "description": "stands over the table"}), SKIPPED),
    "description": (leaf(text_line, {"type": "string", "description": "what the scenario is for"}), SKIPPED),
}


def scenario_model(component: Component) -> type[Section]:
    """A scenario file that measures `component`."""
    words = vocabulary(component)
    title = component.name.title().replace("_", "").replace("-", "")

    def value(word: Word) -> Any:
        return leaf(word.parse, dict(word.schema))

    def values(word: Word) -> Any:
        return list_of(value(word), min_length=1, json_schema_extra={"uniqueItems": True})

    def section(kind: str, type_of: Callable[[Word], Any], **more: Any) -> Any:
        fields: dict[str, Any] = {word.name: (type_of(word), SKIPPED) for word in words.values()}
        return create_model(f"{title}{kind}", __base__=Section, **fields, **more)

    fixed, sweep, match = section("Fixed", value), section("Sweep", values), section("Match", one_or_more)
    mode = section("Mode", values, sampling=(sampling_model(), SKIPPED))
    named: Any = Annotated[Literal[component.name], Field(description=component.about)]
    fields: dict[str, Any] = {**HEAD, "component": (named, ...), "phase": (one_or_more(words["phase"]), SKIPPED)}
    if "model" in words:
        fields["model"] = (value(words["model"]), SKIPPED)
    fields |= {
        "fixed": optional(fixed, "axes with one value"),
        "sweep": optional(sweep, "axes with several values: their product, in this order, the last fastest"),
        "include": optional(list_of(fixed), "single cases on top of fixed"),
        "exclude": optional(list_of(match), "cases to leave out: those that match all of an entry"),
        "baseline": optional(fixed, "what speed-up and memory ratio are relative to, all other axes equal"),
        "sampling": optional(sampling_model(), "when to stop measuring a case"),
        "quick": optional(mode, "axes and sampling that --quick replaces"),
        "rigorous": optional(mode, "axes and sampling that --rigorous replaces"),
    }
    return create_model(f"{title}Scenario", __base__=Section, **fields)


@cache
def suite_model() -> type[Section]:
    """A scenario file that lists others."""
    file = leaf(part, {"type": "string"})
    parts = list_of(file, min_length=1, description="scenario files, relative to this one")
    fields: dict[str, Any] = {**HEAD, "parts": (parts, ...)}
    return create_model("Suite", __base__=Section, **fields)


def top_keys() -> list[str]:
    """Every key that may stand at the left edge of a file, a scenario's or a suite's."""
    models = [*map(scenario_model, COMPONENTS.values()), suite_model()]
    return list(dict.fromkeys(key for model in models for key in model.model_fields))
