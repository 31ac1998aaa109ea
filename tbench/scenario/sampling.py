"""The `sampling` section: the fields of `records.Sampling`, each with its limits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache
from typing import Any, get_args, get_type_hints

from pydantic import create_model

from tbench.records import Sampling
from tbench.scenario.leaf import SKIPPED, Section, leaf
from tbench.yamlfile.mistakes import shown

ABOUT_SAMPLING = {
    "target": "relative half-width of the 95% interval of the median at which to stop",
    "min_time": "seconds of samples per case, at least",
    "max_time": "seconds of samples per case, at most",
    "min_rounds": "fresh processes per case, at least",
    "max_rounds": "fresh processes per case, at most",
    "warmup": "seconds of calls before each round's samples",
    "turns": "visits to a case per round",
    "turn_time": "seconds of samples per visit",
    "timeout": "seconds any single step may take",
    "cache": "hot, or cold: inputs come from memory; auto: cold in decode, hot elsewhere",
    "allocator": "on a CPU: kept holds on to freed memory, default gives it back to the system",
}
MAY_BE_ZERO = ("min_time", "warmup")
LARGEST_NUMBER = 1e6


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
            fields[field.name] = (leaf(count, schema), SKIPPED)
        elif hint is float:
            low = "minimum" if field.name in MAY_BE_ZERO else "exclusiveMinimum"
            highest = 1 if field.name == "target" else LARGEST_NUMBER
            schema = {"type": "number", low: 0, "maximum": highest, "description": about}
            fields[field.name] = (leaf(number(low == "minimum", highest), schema), SKIPPED)
        else:
            choices = get_args(hint)
            fields[field.name] = (leaf(one_of(choices), {"enum": list(choices), "description": about}), SKIPPED)
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
