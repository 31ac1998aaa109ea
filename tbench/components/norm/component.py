"""Normalisation as a component: its axes, and the door to its formulas and its workload. No torch."""

from __future__ import annotations

from typing import Any

from tbench.components.norm import formulas
from tbench.components.norm.formulas import Norm
from tbench.components.own import kernel
from tbench.components.registry import Axis, Component, Kernel, Variant, beside

AXES = (
    Axis("batch", "int", "batch size", default=1),
    Axis("seq_len", "int", "sequence length"),
    Axis("hidden", "int", "model width"),
    Axis("norm", "choice", "normalisation", default="rmsnorm", choices=("layernorm", "rmsnorm")),
    Axis("kernel", "choice", "implementation", default="default"),
)


def build(norm: Norm, variant: Variant, seed: int, sets: int, apart: bool) -> Any:
    from tbench.components.norm import workload

    return workload.build(norm, variant, seed, sets, apart)


def own(place: str, norm: Norm) -> Kernel:
    """A function of the user's own: x, weight, and LayerNorm's bias."""
    return kernel(place, norm, ("x", "weight", "bias") if norm.layernorm else ("x", "weight"))


NORM = Component(
    name="norm",
    about="LayerNorm and RMSNorm of each token's vector",
    axes=AXES,
    phases=("forward", "forward_backward"),
    variant_axis="kernel",
    problem=Norm,
    work=formulas.work,
    peak=beside(formulas.resident_bytes),
    resident=formulas.resident_bytes,
    build=build,
    own=own,
)
