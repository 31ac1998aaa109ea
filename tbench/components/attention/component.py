"""Attention as a component: its axes, and the door to its formulas and its workload. No torch."""

from __future__ import annotations

from typing import Any

from tbench.components.attention import formulas, own
from tbench.components.attention.problem import AttentionProblem, layers
from tbench.components.registry import Axis, Component, Impossible, Variant
from tbench.model.config import uneven
from tbench.model.pattern import SCHEMA, parse
from tbench.records import Value

AXES = (
    Axis("batch", "int", "batch size", default=1),
    Axis("seq_len", "int", "sequence length; in decode, tokens in the KV cache"),
    Axis("heads", "int", "query heads"),
    Axis("kv_heads", "int", "key/value heads: heads is MHA, 1 is MQA, in between is GQA"),
    Axis("head_dim", "int", "head dimension"),
    Axis("causal", "bool", "causal mask", default=True),
    Axis(
        "pattern",
        "pattern",
        "attention pattern: which keys a query attends to",
        default="full",
        parse=parse,
        schema=SCHEMA,
    ),
    Axis("kernel", "choice", "implementation", default="auto"),
)


def complete(values: dict[str, Any]) -> dict[str, Value]:
    """kv_heads is heads where it is not given (MHA). Raises Impossible, and KeyError for a size that is missing."""
    heads = values["heads"]
    kv_heads = values.setdefault("kv_heads", heads)
    if heads % kv_heads:
        raise Impossible("kv_heads", uneven(heads, kv_heads))
    return values


def peak(problems: tuple[AttentionProblem, ...], variant: Variant) -> int:
    """Bytes at the peak: what is there before the call, and of the largest layer the outputs and the workspace."""
    extra = (variant.workspace(problem) if variant.workspace else 0 for problem in problems)
    outputs = [formulas.query_bytes(problem) + formulas.gradient_bytes(problem) for problem in problems]
    return formulas.resident_bytes(problems) + max(out + more for out, more in zip(outputs, extra, strict=True))


def build(problems: tuple[AttentionProblem, ...], variant: Variant, seed: int, sets: int, apart: bool) -> Any:
    from tbench.components.attention.workload import AttentionWorkload

    return AttentionWorkload(problems, variant, seed, sets)  # there are no parameters to share


ATTENTION = Component(
    name="attention",
    about="softmax(q kᵀ / √d) v",
    axes=AXES,
    phases=("forward", "forward_backward", "decode"),
    variant_axis="kernel",
    complete=complete,
    problem=layers,
    work=formulas.work,
    peak=peak,
    build=build,
    own=own.kernel,
)
