"""Every way to bring positions in that comes with tbench. To add one, add an entry here."""

from __future__ import annotations

from tbench.components.position import formulas
from tbench.components.position.component import POSITION
from tbench.components.position.formulas import Position
from tbench.components.problem import COMPILER, LIGER
from tbench.components.registry import Kernel, function
from tbench.records import Case


def something(case: Case) -> str | None:
    return "none computes nothing: there is nothing to compile" if case["encoding"] == "none" else None


def rotary(case: Case) -> str | None:
    return None if Position(case).rotary else f"is for rope; {case['encoding']} rotates nothing"


@POSITION.variant("default", about="PyTorch operations, unfused", workspace=formulas.eager)
def default(position: Position) -> Kernel:
    from tbench.components.position import kernels

    return kernels.EAGER[position.encoding](position)


@POSITION.variant(
    "compiled",
    about="the same code through torch.compile",
    limits=something,
    workspace=formulas.compiled,
    preload=COMPILER,
)
def compiled(position: Position) -> Kernel:
    from tbench.components import compiling

    return compiling.compiled(position.device, default(position))


@POSITION.variant(
    "liger",
    about="Liger's fused Triton kernel for q and k, in place",
    devices=("cuda",),
    requires=(("liger_kernel", "liger-kernel"), ("triton", "triton")),
    limits=rotary,
    workspace=formulas.compiled,
)
def liger(position: Position) -> Kernel:
    from tbench.components.position import kernels

    position.notes.append("overwrites q and k")
    return kernels.rope_of(function(LIGER, "liger_rope"), position)
