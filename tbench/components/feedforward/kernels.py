"""The layers, as torch.nn.functional writes them.

    relu, gelu       act(x W_inᵀ) W_outᵀ                      Vaswani et al. 2017, §3.3; Hendrycks & Gimpel 2016
    geglu, swiglu    (act(x W_gateᵀ) ⊙ x W_upᵀ) W_outᵀ        Shazeer 2020, equation 6

Shapes: x and the result (batch, seq_len, hidden); W_in, W_gate, W_up (ffn_hidden, hidden); W_out
(hidden, ffn_hidden). GELU is the exact one, with erf.
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from tbench.model.activations import ACTIVATIONS


def plain(activation: str) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    act = ACTIVATIONS[activation]

    def layer(x: Tensor, w_in: Tensor, w_out: Tensor) -> Tensor:
        return F.linear(act(F.linear(x, w_in)), w_out)

    return layer


def gated(activation: str) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    act = ACTIVATIONS[activation]

    def layer(x: Tensor, w_gate: Tensor, w_up: Tensor, w_out: Tensor) -> Tensor:
        return F.linear(act(F.linear(x, w_gate)) * F.linear(x, w_up), w_out)

    return layer


def gated_by(multiply: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """A gated layer whose activation and product are one operation of another package."""

    def layer(x: Tensor, w_gate: Tensor, w_up: Tensor, w_out: Tensor) -> Tensor:
        return F.linear(multiply(F.linear(x, w_gate), F.linear(x, w_up)), w_out)

    return layer
