"""Every way to normalise that comes with tbench. To add one, add an entry here."""

from __future__ import annotations

from tbench.components.norm import formulas
from tbench.components.norm.component import NORM
from tbench.components.norm.formulas import Norm
from tbench.components.problem import COMPILER, LIGER
from tbench.components.registry import Kernel, function
from tbench.model.config import NORM_EPSILON as EPSILON


@NORM.variant("naive", about="unfused: several PyTorch operations", workspace=formulas.written_out)
def naive(norm: Norm) -> Kernel:
    from tbench.components.norm import kernels

    return kernels.layernorm if norm.layernorm else kernels.rmsnorm


@NORM.variant(
    "default",
    about="PyTorch built-ins: F.layer_norm, F.rms_norm (one operation on CUDA; rms_norm is six on a CPU)",
    workspace=formulas.framework,
)
def default(norm: Norm) -> Kernel:
    from tbench.components.norm import kernels

    return kernels.framework_layernorm if norm.layernorm else kernels.framework_rmsnorm


@NORM.variant("compiled", about="naive through torch.compile", workspace=formulas.fused, preload=COMPILER)
def compiled(norm: Norm) -> Kernel:
    from tbench.components import compiling

    return compiling.compiled(norm.device, naive(norm))


@NORM.variant(
    "liger",
    about="Liger's fused Triton kernels",
    devices=("cuda",),
    requires=(("liger_kernel", "liger-kernel"), ("triton", "triton")),
    workspace=formulas.fused,
)
def liger(norm: Norm) -> Kernel:
    if norm.layernorm:
        layer_norm = function(LIGER, "liger_layer_norm")
        return lambda x, weight, bias: layer_norm(x, weight, bias, EPSILON)
    rms_norm = function(LIGER, "liger_rms_norm")
    return lambda x, weight: rms_norm(x, weight, EPSILON, in_place=False)
