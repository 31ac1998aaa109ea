"""A feed-forward case, set up, and its float64 reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import torch
from torch import Tensor

from tbench.components.feedforward import kernels
from tbench.components.feedforward.formulas import FeedForward
from tbench.components.registry import Variant
from tbench.components.rowwise import Operation, RowWise, plain

KINK = 1e-5  # an inner value this close to ReLU's kink may be on either side of it, by rounding


def build(layer: FeedForward, variant: Variant, seed: int, sets: int, apart: bool) -> RowWise:
    into = ((layer.ffn_hidden, layer.hidden), 1 / sqrt(layer.hidden))
    out = ((layer.hidden, layer.ffn_hidden), 1 / sqrt(layer.ffn_hidden))
    operation = Operation(
        inputs={"x": (layer.batch, layer.seq_len, layer.hidden)},
        parameters=({"w_gate": into, "w_up": into, "w_out": out} if layer.gated else {"w_in": into, "w_out": out}),
        reference=REFERENCES[layer.activation],
        plain=plain((kernels.gated if layer.gated else kernels.plain)(layer.activation)),
        smooth=away_from_the_kink if layer.activation == "relu" and layer.backward else None,
    )
    return RowWise(layer, operation, variant.factory(layer), seed, sets, apart)


def away_from_the_kink(x: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
    return ((x @ parameters["w_in"].T).abs() > KINK).all(-1)


def relu(inputs: Mapping[str, Tensor], w: Mapping[str, Tensor], _: object) -> Sequence[Tensor]:
    return [(inputs["x"] @ w["w_in"].T).clamp(min=0) @ w["w_out"].T]


def gelu(inputs: Mapping[str, Tensor], w: Mapping[str, Tensor], _: object) -> Sequence[Tensor]:
    return [normal(inputs["x"] @ w["w_in"].T) @ w["w_out"].T]


def geglu(inputs: Mapping[str, Tensor], w: Mapping[str, Tensor], _: object) -> Sequence[Tensor]:
    x = inputs["x"]
    return [(normal(x @ w["w_gate"].T) * (x @ w["w_up"].T)) @ w["w_out"].T]


def swiglu(inputs: Mapping[str, Tensor], w: Mapping[str, Tensor], _: object) -> Sequence[Tensor]:
    x = inputs["x"]
    gate = x @ w["w_gate"].T
    return [(gate / (1 + torch.exp(-gate)) * (x @ w["w_up"].T)) @ w["w_out"].T]


def normal(x: Tensor) -> Tensor:
    """x · P(a standard normal number is below x)."""
    return x * (1 + torch.erf(x / sqrt(2))) / 2


REFERENCES = {"relu": relu, "gelu": gelu, "geglu": geglu, "swiglu": swiglu}
