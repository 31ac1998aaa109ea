"""Positions as a component: its axes, and the door to its formulas and its workload. No torch."""

from __future__ import annotations

from typing import Any

from tbench.components.own import kernel
from tbench.components.position import formulas
from tbench.components.position.formulas import ENCODINGS, Position
from tbench.components.registry import Axis, Component, Impossible, Kernel, Variant, beside
from tbench.model.config import uneven
from tbench.records import Value

AXES = (
    Axis("batch", "int", "batch size", default=1),
    Axis("seq_len", "int", "sequence length"),
    Axis("heads", "int", "query heads"),
    Axis("kv_heads", "int", "key heads, also rotated by RoPE [heads]"),
    Axis("head_dim", "int", "head dimension; the model width is heads · head_dim"),
    Axis("encoding", "choice", "position encoding", default="rope", choices=ENCODINGS),
    Axis("kernel", "choice", "implementation", default="default"),
)

TENSORS = {  # what each encoding works on
    "none": ("x",),
    "learned": ("x", "table"),
    "sinusoidal": ("x",),
    "rope": ("q", "k"),
    "rope-interpolated": ("q", "k"),
    "alibi": ("scores",),
}


def complete(values: dict[str, Any]) -> dict[str, Value]:
    """kv_heads is heads where it is not given. Raises Impossible, and KeyError for a size that is missing."""
    heads, head_dim = values["heads"], values["head_dim"]
    kv_heads = values.setdefault("kv_heads", heads)
    if heads % kv_heads:
        raise Impossible("kv_heads", uneven(heads, kv_heads))
    if values["encoding"] in ("rope", "rope-interpolated", "sinusoidal") and head_dim % 2:
        raise Impossible("head_dim", f"{values['encoding']} works on pairs, and {head_dim} is odd; write an even one")
    return values


def build(position: Position, variant: Variant, seed: int, sets: int, apart: bool) -> Any:
    from tbench.components.position import workload

    return workload.build(position, variant, seed, sets, apart)


def own(place: str, position: Position) -> Kernel:
    """A function of the user's own. One of a single tensor must come from a factory: alone it looks like one."""
    return kernel(place, position, TENSORS[position.encoding])


POSITION = Component(
    name="position",
    about="cost of position encoding: once per model (learned, sinusoidal) or in every layer",
    axes=AXES,
    phases=("forward", "forward_backward"),
    variant_axis="kernel",
    complete=complete,
    problem=Position,
    work=formulas.work,
    peak=beside(formulas.resident_bytes),
    resident=formulas.resident_bytes,
    build=build,
    own=own,
)
