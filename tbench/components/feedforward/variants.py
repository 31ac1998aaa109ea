"""Every way to compute a feed-forward layer that comes with tbench. To add one, add an entry here."""

from __future__ import annotations

from tbench.components.feedforward import formulas
from tbench.components.feedforward.component import FEEDFORWARD
from tbench.components.feedforward.formulas import FeedForward
from tbench.components.problem import COMPILER, LIGER
from tbench.components.registry import Kernel, function
from tbench.records import Case


def gated_only(case: Case) -> str | None:
    """Liger fuses the gate's activation with the product; without a gate there is nothing to fuse."""
    return None if FeedForward(case).gated else f"fuses a gate with its product; {case['activation']} has no gate"


@FEEDFORWARD.variant("default", about="PyTorch operations, unfused", workspace=formulas.eager)
def default(layer: FeedForward) -> Kernel:
    from tbench.components.feedforward import kernels

    return kernels.gated(layer.activation) if layer.gated else kernels.plain(layer.activation)


@FEEDFORWARD.variant(
    "compiled", about="the same code through torch.compile", workspace=formulas.compiled, preload=COMPILER
)
def compiled(layer: FeedForward) -> Kernel:
    from tbench.components import compiling

    return compiling.compiled(layer.device, default(layer))


@FEEDFORWARD.variant(
    "liger",
    about="Liger's Triton kernel for the gate and its product",
    devices=("cuda",),
    requires=(("liger_kernel", "liger-kernel"), ("triton", "triton")),
    limits=gated_only,
    workspace=formulas.compiled,
)
def liger(layer: FeedForward) -> Kernel:
    from tbench.components.feedforward import kernels

    return kernels.gated_by(function(LIGER, "liger_swiglu" if layer.activation == "swiglu" else "liger_geglu"))
