"""Axes as older versions named them, in run folders that they wrote. The only place that knows the old names.

    block         inner (width of an ungated layer) → ffn_hidden as built; placement → norm_position;
                  position → position_encoding; rope_base and bias, which never varied, are added
    feedforward   width: matched → ffn_hidden as built; width: same stays, since `relu` was measured with both
    kv            ffn_matrices: 3 → activation: swiglu, 2 → gelu; norms and biases were not counted

A scenario that uses an old name is refused with the new one (`tbench.scenario.axes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tbench.model.config import GATED, ROPE_BASE, matched_width
from tbench.records import Case, Value

NAMES = {"placement": "norm_position", "position": "position_encoding", "inner": "ffn_hidden"}


OLD = ("inner", "width", "ffn_matrices")  # a case of an older version has one of them


def measurement(data: Mapping[str, Any]) -> dict[str, Any]:
    """A line of measurements.jsonl, with today's names."""
    baseline = data.get("baseline")
    return {**data, "case": case(data["case"]), "baseline": baseline and identity(baseline)}


def identity(text: str) -> str:
    """The identity of a case (`Case.id`), with today's names."""
    what, *words = text.split(" ")
    named = dict(word.partition("=")[::2] for word in words)
    if not named.keys() & set(OLD):
        return text
    component, _, phase = what.partition("/")
    where = {name: named.pop(name) for name in ("device", "dtype")}
    axes = {name: value(word) for name, word in named.items()}
    return Case.from_dict(case({"component": component, "phase": phase, **where, "axes": axes})).id


def value(word: str) -> Value:
    """What stands in an identity, as a value again."""
    if word in ("true", "false"):
        return word == "true"
    return int(word) if word.isdigit() else word


def case(data: Mapping[str, Any]) -> dict[str, Any]:
    """A case as it is stored (`Case.to_dict`), with today's names."""
    axes, component = dict(data["axes"]), data["component"]
    if component == "block" and "inner" in axes:
        axes["inner"] = matched_width(axes["inner"], axes["activation"] in GATED)
        axes = {NAMES.get(name, name): value for name, value in axes.items()}
        kernel = axes.pop("kernel")
        axes |= {"rope_base": ROPE_BASE, "bias": "none", "kernel": kernel}
    if component == "feedforward" and "width" in axes:
        same, kernel = axes.pop("width") == "same", axes.pop("kernel")
        gated = axes["activation"] in GATED and not same
        axes |= {"ffn_hidden": matched_width(4 * axes["hidden"], gated), **({"width": "same"} if same else {})}
        axes["kernel"] = kernel
    if component == "kv" and "ffn_matrices" in axes:
        axes = {
            ("activation" if name == "ffn_matrices" else name): (
                ("swiglu" if value == 3 else "gelu") if name == "ffn_matrices" else value
            )
            for name, value in axes.items()
        }
    return {**data, "axes": axes}
