"""Normalisation as a component: its axes, and the door to its formulas and its workload. No torch."""

from __future__ import annotations

from typing import Any

from tbench.components.norm import formulas
from tbench.components.norm.formulas import Norm
from tbench.components.own import kernel
from tbench.components.registry import Axis, Component, Kernel
from tbench.records import Case, Value, Work

AXES = (
    Axis("batch", "int", "sequences side by side", default=1),
    Axis("seq_len", "int", "tokens of a sequence"),
    Axis("hidden", "int", "size of a token's vector"),
    Axis("norm", "choice", "what is divided by what", default="rmsnorm", choices=("layernorm", "rmsnorm")),
    Axis("kernel", "choice", "how it is computed", default="default"),
)


def complete(values: dict[str, Any]) -> dict[str, Value]:
    """Nothing follows from anything here."""
    return values


def work(case: Case) -> Work:
    return formulas.work(Norm(case))


def predict_bytes(case: Case) -> int:
    """Bytes at the peak: what is there before the call, and what the variant needs at most beside it."""
    workspace = NORM.variant_of(case).workspace
    return formulas.resident_bytes(Norm(case)) + (workspace(Norm(case)) if workspace else 0)


def workload(case: Case, seed: int, sets: int = 1, apart: bool = False) -> Any:
    from tbench.components.norm.workload import build

    return build(case, seed, sets, apart)


def own(place: str, norm: Norm) -> Kernel:
    """A function of the user's own: x, weight, and LayerNorm's bias."""
    return kernel(place, norm, ("x", "weight", "bias") if norm.layernorm else ("x", "weight"))


NORM = Component(
    name="norm",
    about="LayerNorm and RMSNorm of each token's vector",
    axes=AXES,
    phases=("forward", "forward_backward"),
    variant_axis="kernel",
    complete=complete,
    work=work,
    predict_bytes=predict_bytes,
    workload=workload,
    own=own,
)
