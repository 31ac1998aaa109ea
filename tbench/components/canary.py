"""Operations that nobody's change touches: when they move, it was the machine. No torch here.

A stored baseline was measured on another day. Beside its cases it holds these two, a matrix product for the arithmetic
units and a copy for the memory; if they take another time now, the difference of the cases is not the code's alone.
"""

from __future__ import annotations

from typing import Any

from tbench.components.problem import Problem
from tbench.components.registry import Axis, Component, Kernel, Variant
from tbench.records import Work

AXES = (
    Axis("size", "int", "rows and columns of the matrices"),
    Axis("kernel", "choice", "which operation"),
)


class Matrix(Problem):
    """A square matrix x, and for the product another."""

    @property
    def size(self) -> int:
        return self.case.integer("size")

    @property
    def product(self) -> bool:
        return self.case["kernel"] == "matmul"

    @property
    def bytes(self) -> int:
        return self.itemsize * self.size**2


def work(matrix: Matrix) -> Work:
    """2n³ operations on three matrices; none on two for a copy."""
    flops = 2.0 * matrix.size**3 if matrix.product else 0.0
    return Work(flops, float((3 if matrix.product else 2) * matrix.bytes))


def peak(matrix: Matrix, _: Variant) -> int:
    return (3 if matrix.product else 2) * matrix.bytes


def build(matrix: Matrix, variant: Variant, seed: int, sets: int, apart: bool) -> Any:
    """The matrix product or the copy, and its float64 reference."""
    from tbench.components.rowwise import Operation, RowWise

    square = (matrix.size, matrix.size)
    operation = Operation(
        inputs={"x": square},
        parameters={"w": (square, matrix.size**-0.5)} if matrix.product else {},
        reference=lambda inputs, w, _: [inputs["x"] @ w["w"] if matrix.product else inputs["x"]],
    )
    return RowWise(matrix, operation, variant.factory(matrix), seed, sets, apart)


CANARY = Component(
    name="canary",
    about="reference benchmarks that no code change affects: if they move, the machine did",
    axes=AXES,
    phases=("forward",),
    variant_axis="kernel",
    problem=Matrix,
    work=work,
    peak=peak,
    build=build,
)


@CANARY.variant("matmul", about="square matrix product: compute-bound")
def matmul(_: Matrix) -> Kernel:
    import torch

    return torch.matmul


@CANARY.variant("copy", about="square matrix copy: memory-bound")
def copy(_: Matrix) -> Kernel:
    import torch

    return torch.clone
