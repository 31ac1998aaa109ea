"""A normalisation case, set up, and its float64 reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from tbench.components.norm.component import NORM
from tbench.components.norm.formulas import EPSILON, Norm
from tbench.components.rowwise import Operation, RowWise
from tbench.records import Case


def build(case: Case, seed: int) -> RowWise:
    norm = Norm(case)
    vector = ((norm.hidden,), 1.0)
    operation = Operation(
        inputs={"x": (norm.batch, norm.seq_len, norm.hidden)},
        parameters={"weight": vector, "bias": vector} if norm.layernorm else {"weight": vector},
        reference=layernorm if norm.layernorm else rmsnorm,
    )
    return RowWise(norm, operation, NORM.variant_of(case).factory(norm), seed)


def layernorm(inputs: Mapping[str, Tensor], parameters: Mapping[str, Tensor], _: object) -> Sequence[Tensor]:
    x = inputs["x"]
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
    return [(x - mean) / (variance + EPSILON).sqrt() * parameters["weight"] + parameters["bias"]]


def rmsnorm(inputs: Mapping[str, Tensor], parameters: Mapping[str, Tensor], _: object) -> Sequence[Tensor]:
    x = inputs["x"]
    return [x / ((x * x).mean(-1, keepdim=True) + EPSILON).sqrt() * parameters["weight"]]
