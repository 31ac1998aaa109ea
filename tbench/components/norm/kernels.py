"""The equations of the two norms, and the framework's own.

    LayerNorm  (x − mean) / √(variance + ε) · weight + bias      Ba et al. 2016, equation 4
    RMSNorm    x / √(mean of x² + ε) · weight                    Zhang & Sennrich 2019, equation 4

RMSNorm divides by the root mean square of the raw values: nothing is subtracted, not even for the statistics.
All shapes: x and the result (batch, seq_len, hidden), weight and bias (hidden). Halves are computed in float32, as
every framework does.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tbench.model.config import NORM_EPSILON as EPSILON


def layernorm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    wide = x.float()
    centred = wide - wide.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    return (centred * torch.rsqrt(variance + EPSILON)).type_as(x) * weight + bias


def rmsnorm(x: Tensor, weight: Tensor) -> Tensor:
    wide = x.float()
    mean_square = wide.square().mean(-1, keepdim=True)
    return (wide * torch.rsqrt(mean_square + EPSILON)).type_as(x) * weight


def framework_layernorm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.layer_norm(x, weight.shape, weight, bias, EPSILON)


def framework_rmsnorm(x: Tensor, weight: Tensor) -> Tensor:
    return F.rms_norm(x, weight.shape, weight, EPSILON)
