"""What lies between the products of a feed-forward layer.

    relu, gelu       act(x W_upᵀ)                    Vaswani et al. 2017, §3.3; Hendrycks & Gimpel 2016
    geglu, swiglu    act(x W_gateᵀ) ⊙ x W_upᵀ        Shazeer 2020, equation 6

GELU is the exact one, with erf.
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu, "geglu": F.gelu, "swiglu": F.silu}
