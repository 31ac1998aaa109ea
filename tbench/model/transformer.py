"""A decoder-only Transformer built from a `ModelConfig`: what is timed, what is trained.

    B batch, N tokens of this call, M keys (N, or what the cache holds), D hidden, H heads, G KV heads, d head_dim,
    F ffn_hidden, V vocab

A block is handed its attention: kernels, masks and biases differ from user to user.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tbench.model import encodings
from tbench.model.activations import ACTIVATIONS
from tbench.model.config import ModelConfig
from tbench.model.pattern import Full, Pattern

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]  # (B, H, N, d), (B, G, M, d), (B, G, M, d) → (B, H, N, d)
Rotation = tuple[Tensor, Tensor]  # RoPE's cosines and sines, (N, d / 2) each


class Block(nn.Module):
    """Post-norm: norm(x + f(x)), as in 2017. Pre-norm: x + f(norm(x)).

    Parameters are the block's own, not those of modules inside: a call is the operations and next to nothing else.
    """

    def __init__(self, config: ModelConfig, device: str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config = config
        for name, shape in config.block_shapes().items():
            made = torch.ones if len(shape) == 1 and name in ("norm1", "norm2") else torch.zeros
            self.register_parameter(name, nn.Parameter(made(shape, device=device, dtype=dtype)))

    def forward(
        self, x: Tensor, attend: Attend, rotation: Rotation | None = None, cache: KVCache | None = None
    ) -> Tensor:
        """x (B, N, D) → (B, N, D)."""
        if self.config.norm_position == "pre":
            x = x + self.attention(self.normed(x, 1), attend, rotation, cache)
            return x + self.feedforward(self.normed(x, 2))
        x = self.normed(x + self.attention(x, attend, rotation, cache), 1)
        return self.normed(x + self.feedforward(x), 2)

    def normed(self, x: Tensor, number: int) -> Tensor:
        size, weight, epsilon = (self.config.hidden,), getattr(self, f"norm{number}"), self.config.norm_epsilon
        if self.config.norm == "layernorm":
            return F.layer_norm(x, size, weight, getattr(self, f"norm{number}_bias"), epsilon)
        return F.rms_norm(x, size, weight, epsilon)

    def attention(self, x: Tensor, attend: Attend, rotation: Rotation | None, cache: KVCache | None) -> Tensor:
        q, k, v = (self.heads(self.linear(x, name)) for name in "qkv")
        if rotation is not None:
            q, k = encodings.apply_rope(q, *rotation), encodings.apply_rope(k, *rotation)
        if cache is not None:
            k, v = cache.update(k, v)  # (B, G, M, d)
        out = attend(q.contiguous(), k.contiguous(), v.contiguous())  # (B, H, N, d)
        return self.linear(out.transpose(1, 2).flatten(2), "o")  # (B, N, H · d) → (B, N, D)

    def heads(self, x: Tensor) -> Tensor:
        """(B, N, heads · d) → (B, heads, N, d)"""
        return x.view(*x.shape[:2], -1, self.config.head_dim).transpose(1, 2)

    def feedforward(self, x: Tensor) -> Tensor:
        return self.linear(self.activated(x), "_down")

    def activated(self, x: Tensor) -> Tensor:
        """Inside the feed-forward layer, (B, N, F)."""
        act, up = ACTIVATIONS[self.config.activation], self.linear(x, "_up")
        return act(self.linear(x, "_gate")) * up if self.config.gated else act(up)

    def linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, getattr(self, f"w{name}"), getattr(self, f"b{name}", None))


class KVCache:
    """k and v of the tokens so far, (B, G, M, d) each; those of the newest come last."""

    def __init__(self, k: Tensor, v: Tensor) -> None:
        self.k, self.v = k, v

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Write the newest tokens' (B, G, N, d) in the last places; returns all."""
        new = k.shape[2]
        self.k[:, :, -new:], self.v[:, :, -new:] = k, v
        return self.k, self.v


class Decoder(nn.Module):
    """Tokens to logits. Embeddings are multiplied by √D, as in 2017: positions are added at about their size.

    Each parameter is drawn from a seed of its own, made from its name: models start from the same numbers wherever they
    have the same parameter.
    """

    def __init__(self, config: ModelConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.empty(config.vocab, config.hidden))
        if config.position_encoding == "learned":
            self.position_table = nn.Parameter(torch.empty(config.max_positions, config.hidden))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        if config.norm_position == "pre":
            self.norm = (nn.RMSNorm if config.norm == "rmsnorm" else nn.LayerNorm)(config.hidden, config.norm_epsilon)
        self.head = self.embedding if config.tied_embeddings else nn.Parameter(torch.empty(config.vocab, config.hidden))
        initialise(self, seed)

    def forward(self, tokens: Tensor, positions: Tensor | None = None, documents: Tensor | None = None) -> Tensor:
        """tokens (B, N) → logits (B, N, V).

        `positions` (N): what the encoding is given, counted from 0 unless given. `documents` (N): a token sees only
        tokens of its own document's number. Raises encodings.BeyondTable.
        """
        config = self.config
        if positions is None:
            positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = F.embedding(tokens, self.embedding) * config.hidden**0.5  # (B, N, D)
        if config.position_encoding == "learned":
            x = x + encodings.learned(self.position_table, positions)
        elif config.position_encoding == "sinusoidal":
            x = x + encodings.sinusoidal_table(positions, config.hidden, dtype=x.dtype)
        rotation = None
        if config.rotary:
            rotation = encodings.rope_tables(
                positions, config.head_dim, config.rope_base, config.rope_factor, dtype=x.dtype
            )
        attends = self.attends(x, positions, documents)
        for block, attend in zip(self.blocks, attends, strict=True):
            x = block(x, attend, rotation)
        if config.norm_position == "pre":
            x = self.norm(x)
        return F.linear(x, self.head)

    def attends(self, like: Tensor, positions: Tensor, documents: Tensor | None) -> list[Attend]:
        """Attention of each layer: its pattern, the documents and ALiBi are in it. `like` (B, N, D)."""
        config, length = self.config, like.shape[1]
        alibi = config.position_encoding == "alibi"
        lowered = like.new_zeros(1, length, length)
        if alibi:
            slopes = torch.tensor(encodings.alibi_slopes(config.heads), device=like.device, dtype=like.dtype)
            lowered = encodings.alibi_bias(slopes, positions, positions)  # (H, N, N)

        def bias(pattern: Pattern) -> Tensor | None:
            if isinstance(pattern, Full) and documents is None and not alibi:
                return None
            index = torch.arange(length, device=like.device)
            q, k = index[:, None], index[None, :]
            kept = pattern.keeps(q, k) & (k <= q)
            if documents is not None:
                kept = kept & (documents[:, None] == documents)
            return lowered.masked_fill(~kept, float("-inf"))

        made = {pattern: bias(pattern) for pattern in set(config.patterns)}
        return [partial(ATTENTION[config.attention], bias=made[pattern]) for pattern in config.patterns]


def naive(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """softmax(q kᵀ / √d + bias) v, written out; queries that share a KV head one after the other.

    `bias` (1 or H, N, M): −inf where a key is hidden; None where only the future is.
    """
    (batch, heads, length, head_dim), kv_heads = q.shape, k.shape[1]
    q = q.reshape(batch, kv_heads, -1, head_dim)  # (B, G, H / G · N, d)
    scores = (q @ k.mT * head_dim**-0.5).view(batch, heads, length, length)
    scores = scores + (future(length, q) if bias is None else bias)
    weights = scores.softmax(-1).view(batch, kv_heads, -1, length)
    return torch.matmul(weights, v).view(batch, heads, length, head_dim)


def flash(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """The same through PyTorch's fused kernel; KV heads are shared through strides of 0, not repeated in memory."""
    (batch, heads, length, head_dim), kv_heads = q.shape, k.shape[1]
    if kv_heads < heads:
        q = q.reshape(batch * kv_heads, -1, length, head_dim)  # (B · G, H / G, N, d)
        k, v = (x.reshape(-1, 1, length, head_dim).expand(-1, heads // kv_heads, -1, -1) for x in (k, v))
        if bias is not None and len(bias) > 1:
            bias = bias.view(kv_heads, -1, length, length).repeat(batch, 1, 1, 1)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=bias is None)
    return out.reshape(batch, heads, length, head_dim)  # on a GPU the kernel's result has another layout


ATTENTION = {"naive": naive, "flash": flash}


def future(length: int, like: Tensor) -> Tensor:
    """(N, N): −inf for keys after the query."""
    return like.new_full((length, length), float("-inf")).triu(1)


def initialise(model: nn.Module, seed: int) -> None:
    """Normal numbers of variance 1 / columns in every matrix, from a seed of its own; norms start as the identity."""
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            continue
        own = int.from_bytes(hashlib.blake2b(f"{seed} {name}".encode(), digest_size=6).digest(), "big")
        drawn = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(own))
        with torch.no_grad():
            parameter.copy_(drawn * parameter.shape[-1] ** -0.5)
