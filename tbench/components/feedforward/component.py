"""The feed-forward layer as a component: its axes, and the door to its formulas and its workload. No torch."""

from __future__ import annotations

from typing import Any

from tbench.components.feedforward import formulas
from tbench.components.feedforward.formulas import ACTIVATIONS, FeedForward
from tbench.components.own import kernel
from tbench.components.registry import Axis, Component, Impossible, Kernel
from tbench.records import Case, Value, Work

AXES = (
    Axis("batch", "int", "sequences side by side", default=1),
    Axis("seq_len", "int", "tokens of a sequence"),
    Axis("hidden", "int", "size of a token's vector"),
    Axis("activation", "choice", "what lies between the products", default="swiglu", choices=ACTIVATIONS),
    Axis(
        "width",
        "choice",
        "inner size: same is 4 · hidden; matched is 2/3 of it for gated layers, as many parameters as the others have",
        default="matched",
        choices=("matched", "same"),
    ),
    Axis("kernel", "choice", "how it is computed", default="default"),
)


def complete(values: dict[str, Any]) -> dict[str, Value]:
    """Raises Impossible where two thirds of the width cannot match the parameters, and KeyError without `hidden`."""
    hidden, gated = values["hidden"], values["activation"] in formulas.GATED
    if gated and values["width"] == "matched" and formulas.matched_width(4 * hidden) is None:
        least = formulas.LEAST_MATCHED
        raise Impossible("hidden", f"{hidden} is too small to match parameters within 1%; write {least} or more")
    return values


def work(case: Case) -> Work:
    return formulas.work(FeedForward(case))


def predict_bytes(case: Case) -> int:
    """Bytes at the peak: what is there before the call, and what the variant needs at most beside it."""
    workspace = FEEDFORWARD.variant_of(case).workspace
    layer = FeedForward(case)
    return formulas.resident_bytes(layer) + (workspace(layer) if workspace else 0)


def workload(case: Case, seed: int, sets: int = 1, apart: bool = False) -> Any:
    from tbench.components.feedforward.workload import build

    return build(case, seed, sets, apart)


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
    work=work,
    predict_bytes=predict_bytes,
    workload=workload,
    own=own,
)
