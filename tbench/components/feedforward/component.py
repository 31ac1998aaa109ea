"""The feed-forward layer as a component: its axes, and the door to its formulas and its workload. No torch."""

from __future__ import annotations

from typing import Any

from tbench.components.feedforward import formulas
from tbench.components.feedforward.formulas import FeedForward
from tbench.components.own import kernel
from tbench.components.registry import Axis, Component, Impossible, Kernel, Variant, beside
from tbench.model.config import CHOICES, GATED, matched_width
from tbench.records import Value

AXES = (
    Axis("batch", "int", "batch size", default=1),
    Axis("seq_len", "int", "sequence length"),
    Axis("hidden", "int", "model width"),
    Axis("activation", "choice", "activation", default="swiglu", choices=CHOICES["activation"]),
    Axis("ffn_hidden", "int", "feed-forward width [4 · hidden; gated about 2/3 of that, for equal parameters]"),
    Axis("kernel", "choice", "implementation", default="default"),
)


def complete(values: dict[str, Any]) -> dict[str, Value]:
    """The width inside where it is not given. Raises Impossible where two thirds of 4 · hidden cannot match the
    parameters, and KeyError without `hidden`."""
    hidden, gated = values["hidden"], values["activation"] in GATED
    width = values.setdefault("ffn_hidden", matched_width(4 * hidden, gated))
    if width is None:
        least = formulas.LEAST_MATCHED
        raise Impossible("hidden", f"{hidden} is too small to match parameters within 1%; write {least} or more")
    return values


def build(layer: FeedForward, variant: Variant, seed: int, sets: int, apart: bool) -> Any:
    from tbench.components.feedforward import workload

    return workload.build(layer, variant, seed, sets, apart)


def own(place: str, layer: FeedForward) -> Kernel:
    """A function of the user's own: x, and the matrices."""
    return kernel(place, layer, ("x", "w_gate", "w_up", "w_out") if layer.gated else ("x", "w_in", "w_out"))


FEEDFORWARD = Component(
    name="feedforward",
    about="the layer between attention layers: ReLU, GELU, GEGLU or SwiGLU",
    axes=AXES,
    phases=("forward", "forward_backward"),
    variant_axis="kernel",
    complete=complete,
    problem=FeedForward,
    work=formulas.work,
    peak=beside(formulas.resident_bytes),
    resident=formulas.resident_bytes,
    build=build,
    own=own,
)
