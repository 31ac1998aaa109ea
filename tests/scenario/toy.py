"""A small component to write scenarios about, so that these tests depend on no real one.

Its axes have every kind there is; `kernel` is its variant axis. Nothing of it can be run.
"""

from __future__ import annotations

import re
from typing import Any

from tbench.components.registry import Axis, Component, Impossible
from tbench.records import Case, Value, Work


def pattern(value: Any) -> Value:
    """`full`, `window:4` or `{window: 4}`."""
    if isinstance(value, dict) and set(value) == {"window"} and type(value["window"]) is int and value["window"] > 0:
        return f"window:{value['window']}"
    if value == "full" or (isinstance(value, str) and re.fullmatch(r"window:[1-9][0-9]*", value)):
        return str(value)
    raise ValueError(f"{value!r} is not a pattern; write full or {{window: 256}}")


PATTERN_SCHEMA = {
    "oneOf": [
        {"type": "string", "pattern": r"^(full|window:\d+)$"},
        {
            "type": "object",
            "properties": {"window": {"type": "integer", "minimum": 1}},
            "required": ["window"],
            "additionalProperties": False,
        },
    ]
}


def complete(values: dict[str, Any]) -> dict[str, Value]:
    values = {"kv_heads": values["heads"], **values}
    if values["heads"] % values["kv_heads"]:
        raise Impossible("kv_heads", f"{values['heads']} heads cannot share {values['kv_heads']} KV heads evenly")
    return values


def not_run(case: Case) -> Any:
    raise AssertionError("the toy component is never run")


TOY = Component(
    name="toy",
    about="for tests",
    axes=(
        Axis("batch", "int", "sequences", default=1),
        Axis("seq_len", "int", "tokens"),
        Axis("heads", "int", "query heads"),
        Axis("kv_heads", "int", "KV heads"),
        Axis("head_dim", "int", "width of a head", default=16),
        Axis("causal", "bool", "sees the past only", default=True),
        Axis("pattern", "pattern", "which keys are seen", default="full", parse=pattern, schema=PATTERN_SCHEMA),
        Axis("kernel", "choice", "implementation"),
    ),
    phases=("forward", "decode"),
    variant_axis="kernel",
    complete=complete,
    work=lambda case: Work(1.0, 1.0),
    peak=lambda case, variant: 1,
    build=not_run,
)
for name in ("slow", "fast", "odd"):
    TOY.variant(name, about=f"the {name} one")(not_run)


SCENARIO = """\
version: 1
name: small
component: toy
phase: forward
fixed: {heads: 8, dtype: float32}
sweep:
  seq_len: [16, 32]
  kernel: [slow, fast]
baseline: {kernel: slow}
"""
