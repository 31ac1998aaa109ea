"""A canary, set up, and its float64 reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from tbench.components.canary import CANARY, Matrix
from tbench.components.rowwise import Operation, RowWise
from tbench.records import Case


def build(case: Case, seed: int, sets: int = 1, apart: bool = False) -> RowWise:
    matrix = Matrix(case)
    square = (matrix.size, matrix.size)
    operation = Operation(
        inputs={"x": square},
        parameters={"w": (square, matrix.size**-0.5)} if matrix.product else {},
        reference=product if matrix.product else same,
    )
    return RowWise(matrix, operation, CANARY.variant_of(case).factory(matrix), seed, sets, apart)


def product(inputs: Mapping[str, Tensor], parameters: Mapping[str, Tensor], _: object) -> Sequence[Tensor]:
    return [inputs["x"] @ parameters["w"]]


def same(inputs: Mapping[str, Tensor], _: object, __: object) -> Sequence[Tensor]:
    return [inputs["x"]]
