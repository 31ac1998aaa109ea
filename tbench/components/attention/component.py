"""Attention as a component: its axes, and the door to its formulas and its workload. No torch."""

from __future__ import annotations

from typing import Any

from tbench.components.attention import formulas, own
from tbench.components.attention.problem import RAGGED, AttentionProblem, layers
from tbench.components.registry import Axis, Component, Impossible, Variant
from tbench.model.config import uneven
from tbench.model.pattern import SCHEMA, Full, Window, parse
from tbench.model.pattern import pattern as pattern_of
from tbench.records import Value

EQUAL = "equal"
MOST_RAGGED = 4096  # sequences
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
    Axis(
        "lengths",
        "choice",
        "tokens in the caches of a batch, in decode: `equal`, all seq_len; `ragged`, evenly spaced up to it",
        default=EQUAL,
        choices=(EQUAL, RAGGED),
        phases=("decode",),
    ),
    Axis("kernel", "choice", "implementation", default="auto"),
)


def complete(values: dict[str, Any]) -> dict[str, Value]:
    """kv_heads is heads where it is not given (MHA). Raises Impossible, and KeyError for a size that is missing."""
    heads = values["heads"]
    kv_heads = values.setdefault("kv_heads", heads)
    if heads % kv_heads:
        raise Impossible("kv_heads", uneven(heads, kv_heads))
    if values.get("lengths") == RAGGED:
        refuse_ragged(values["batch"], str(values["pattern"]))
    return values


def refuse_ragged(batch: int, pattern: str) -> None:
    """Raises Impossible for a batch that has no different lengths, or a pattern whose cache is not read in order."""
    if not 2 <= batch <= MOST_RAGGED:
        raise Impossible("lengths", f"sequences of different length are a batch of 2 to {MOST_RAGGED}, not of {batch}")
    if not all(isinstance(layer, (Full, Window)) for layer in pattern_of(pattern).layers):
        raise Impossible("lengths", f"ragged caches are read in full or in a window, not by pattern {pattern}")


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
    resident=formulas.resident_bytes,
    build=build,
    own=own.kernel,
)
