"""What people use, as tbench's kernels: of transformers, as its models call it.

Everything here is right and must be ok; see `test_ecosystem.py`.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import (
    LlamaMLP,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
    apply_rotary_pos_emb,
    eager_attention_forward,
)

# ------------------------------------------------------------------ attention


def module(q: Tensor, k: Tensor, causal: bool) -> Any:
    """What the functions ask of the attention layer that calls them."""
    return SimpleNamespace(num_key_value_groups=q.shape[1] // k.shape[1], training=False, is_causal=causal)


def eager_attention(q, k, v, causal=False):
    """Llama's own, with a mask of the kind it is given: the lowest number of the format where a key is hidden."""
    mask = None
    if causal:
        lowest = torch.full((q.shape[2], k.shape[2]), torch.finfo(q.dtype).min, dtype=q.dtype, device=q.device)
        mask = lowest.triu(1)[None, None]
    out, _ = eager_attention_forward(module(q, k, causal), q, k, v, mask, scaling=q.shape[-1] ** -0.5)
    return out.transpose(1, 2)


def sdpa_attention(q, k, v, causal=False):
    out, _ = sdpa_attention_forward(module(q, k, causal), q, k, v, None, scaling=q.shape[-1] ** -0.5)
    return out.transpose(1, 2)


# ------------------------------------------------------------------ layers, whose parameters are the inputs


class Layer:
    """A layer of a model as a function: its parameters are replaced by what a call brings."""

    def __init__(self, layer: nn.Module, *names: str) -> None:
        self.layer, self.names = layer.requires_grad_(False), names

    def __call__(self, x: Tensor, *parameters: Tensor) -> Tensor:
        named = dict(zip(self.names, parameters, strict=True))
        out: Tensor = torch.func.functional_call(self.layer, named, (x,))
        return out


def rms_norm(norm: Any) -> Layer:
    return Layer(LlamaRMSNorm(norm.hidden, eps=1e-5), "weight")


def mlp(layer: Any) -> Layer:
    config = LlamaConfig(hidden_size=layer.hidden, intermediate_size=layer.ffn_hidden, num_attention_heads=1)
    return Layer(LlamaMLP(config), "gate_proj.weight", "up_proj.weight", "down_proj.weight")


# ------------------------------------------------------------------ positions


@cache
def tables(positions: int, head_dim: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(1, positions, head_dim): angles in float32, the tables in the model's format."""
    config = LlamaConfig(
        hidden_size=head_dim, num_attention_heads=1, head_dim=head_dim, max_position_embeddings=positions
    )
    place = torch.arange(positions)[None]
    found: tuple[Tensor, Tensor] = LlamaRotaryEmbedding(config)(torch.empty(0, dtype=dtype), place)
    return found


def rotary(q, k):
    """Llama's rotary embedding; its base is 10,000 unless a model says otherwise."""
    cos, sin = tables(q.shape[1], q.shape[-1], q.dtype)
    return apply_rotary_pos_emb(q, k, cos, sin, unsqueeze_dim=2)
