"""A normalisation case, set up, and its float64 reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tbench.components.norm import kernels
from tbench.components.norm.formulas import Norm
from tbench.components.registry import Variant
from tbench.components.rowwise import Operation, RowWise, plain
from tbench.model.config import NORM_EPSILON as EPSILON


def build(norm: Norm, variant: Variant, seed: int, sets: int, apart: bool) -> RowWise:
    vector = ((norm.hidden,), 1.0)
    operation = Operation(
        inputs={"x": (norm.batch, norm.seq_len, norm.hidden)},
        parameters={"weight": vector, "bias": vector} if norm.layernorm else {"weight": vector},
        reference=layernorm if norm.layernorm else rmsnorm,
        plain=plain(kernels.layernorm if norm.layernorm else kernels.rmsnorm),
        hard=harden,
    )
    return RowWise(norm, operation, variant.factory(norm), seed, sets, apart)


MEAN, TINY, LARGE, OUTLIER = 2.0, 1e-3, 300.0, 30.0


def harden(x: Tensor, generator: torch.Generator) -> Tensor:
    """x (rows, hidden), by turns: as it is, with a mean, tiny (ε decides), large (squares pass float16's 65504), with a
    channel far out. A norm that forgets the mean, takes another ε or squares in halves is far off in one of them."""
    kinds = torch.arange(len(x), device=x.device) % 5
    x[kinds == 1] += MEAN
    x[kinds == 2] *= TINY
    x[kinds == 3] *= LARGE
    x[kinds == 4, 0] += OUTLIER
    return kinds


def layernorm(inputs: Mapping[str, Tensor], parameters: Mapping[str, Tensor], _: object) -> Sequence[Tensor]:
    x = inputs["x"]
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
    return [(x - mean) / (variance + EPSILON).sqrt() * parameters["weight"] + parameters["bias"]]


def rmsnorm(inputs: Mapping[str, Tensor], parameters: Mapping[str, Tensor], _: object) -> Sequence[Tensor]:
    x = inputs["x"]
    return [x / ((x * x).mean(-1, keepdim=True) + EPSILON).sqrt() * parameters["weight"]]
