"""A decoder-only Transformer of bytes, built from a `Design`.

Every matrix is without bias, as in Llama, so that arms of a comparison differ in what they are compared for. Attention
is causal. Each parameter is drawn from a seed of its own, made from its name: arms start from the same numbers wherever
they have the same parameter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tbench.components.attention.pattern import Full, Pattern
from tbench.components.position import encodings
from tbench.training.design import Design

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "layernorm": lambda hidden: nn.LayerNorm(hidden, eps=1e-5),
    "rmsnorm": lambda hidden: nn.RMSNorm(hidden, eps=1e-5),
}
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "geglu": F.gelu,
    "swiglu": F.silu,
}


@dataclass(frozen=True)
class Place:
    """Where the bytes of a pass stand, the same for all sequences of the batch.

    `positions` (length). `rotation`: RoPE's cosines and sines, (length, head_dim / 2) each. `biases`: for each layer
    what is added to the scores, (1 or heads, queries, keys), −inf where a key is hidden; None where only the future is.
    """

    positions: Tensor
    rotation: tuple[Tensor, Tensor] | None
    biases: tuple[Tensor | None, ...]


def naive(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """softmax(q kᵀ / √d + bias) v, written out; queries that share a KV head one after the other."""
    (batch, heads, length, head_dim), kv_heads = q.shape, k.shape[1]
    q = q.reshape(batch, kv_heads, -1, head_dim)  # (batch, kv_heads, group · length, head_dim)
    scores = (q @ k.mT * head_dim**-0.5).view(batch, heads, length, length)
    scores = scores + (future(length, q) if bias is None else bias)
    weights = scores.softmax(-1).view(batch, kv_heads, -1, length)
    return torch.matmul(weights, v).view(batch, heads, length, head_dim)


def flash(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """The same through PyTorch's fused kernel; KV heads are shared through strides of 0, not repeated in memory."""
    (batch, heads, length, head_dim), kv_heads = q.shape, k.shape[1]
    if kv_heads < heads:
        q = q.reshape(batch * kv_heads, -1, length, head_dim)  # (batch · kv_heads, group, length, head_dim)
        k, v = (x.reshape(-1, 1, length, head_dim).expand(-1, heads // kv_heads, -1, -1) for x in (k, v))
        if bias is not None and len(bias) > 1:
            bias = bias.view(kv_heads, -1, length, length).repeat(batch, 1, 1, 1)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=bias is None)
    return out.reshape(batch, heads, length, head_dim)  # on a GPU the kernel's result has another layout


KERNELS = {"naive": naive, "flash": flash}


def future(length: int, like: Tensor) -> Tensor:
    """(length, length): −inf for keys after the query."""
    return like.new_full((length, length), float("-inf")).triu(1)


class Attention(nn.Module):
    def __init__(self, design: Design) -> None:
        super().__init__()
        self.head_dim, self.kernel = design.head_dim, KERNELS[design.kernel]
        outer, shared = design.heads * design.head_dim, design.keys * design.head_dim
        self.query = nn.Linear(design.hidden, outer, bias=False)
        self.key = nn.Linear(design.hidden, shared, bias=False)
        self.value = nn.Linear(design.hidden, shared, bias=False)
        self.out = nn.Linear(outer, design.hidden, bias=False)

    def forward(self, x: Tensor, place: Place, bias: Tensor | None) -> Tensor:
        split = (-1, self.head_dim)  # (batch, length, …) → (batch, heads or kv_heads, length, head_dim)
        q, k, v = (w(x).unflatten(-1, split).transpose(1, 2) for w in (self.query, self.key, self.value))
        if place.rotation is not None:
            q, k = encodings.apply_rope(q, *place.rotation), encodings.apply_rope(k, *place.rotation)
        mixed = self.kernel(q, k, v, bias).transpose(1, 2).flatten(2)  # (batch, length, heads · head_dim)
        out: Tensor = self.out(mixed)
        return out


class FeedForward(nn.Module):
    def __init__(self, design: Design) -> None:
        super().__init__()
        self.act = ACTIVATIONS[design.activation]
        self.gate = nn.Linear(design.hidden, design.width, bias=False) if design.gated else None
        self.up = nn.Linear(design.hidden, design.width, bias=False)
        self.down = nn.Linear(design.width, design.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inside: Tensor = self.up(x)  # (batch, length, width)
        inside = self.act(inside) if self.gate is None else self.act(self.gate(x)) * inside
        out: Tensor = self.down(inside)
        return out


class Block(nn.Module):
    """Post-norm: norm(x + f(x)), as in 2017. Pre-norm: x + f(norm(x))."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.pre = design.placement == "pre"
        self.attention, self.feedforward = Attention(design), FeedForward(design)
        self.norm1, self.norm2 = NORMS[design.norm](design.hidden), NORMS[design.norm](design.hidden)

    def forward(self, x: Tensor, place: Place, bias: Tensor | None) -> Tensor:
        out: Tensor
        if self.pre:
            x = x + self.attention(self.norm1(x), place, bias)
            out = x + self.feedforward(self.norm2(x))
        else:
            x = self.norm1(x + self.attention(x, place, bias))
            out = self.norm2(x + self.feedforward(x))
        return out


class Model(nn.Module):
    """Bytes to logits. Embeddings are multiplied by √hidden, as in 2017: positions are added at about their size."""

    def __init__(self, design: Design, seed: int = 0) -> None:
        super().__init__()
        self.design = design
        self.embedding = nn.Embedding(design.vocabulary, design.hidden)
        if design.position == "learned":
            self.table = nn.Parameter(torch.empty(design.longest, design.hidden))
        self.blocks = nn.ModuleList(Block(design) for _ in range(design.layers))
        self.norm = NORMS[design.norm](design.hidden) if design.placement == "pre" else nn.Identity()
        self.head = nn.Linear(design.hidden, design.vocabulary, bias=False)
        initialise(self, seed)

    def forward(self, tokens: Tensor, positions: Tensor | None = None, documents: Tensor | None = None) -> Tensor:
        """(batch, length) → logits (batch, length, vocabulary).

        `positions` (length): what the encoding is told, counted from 0 unless given. `documents` (length): a byte sees
        only bytes of its own document's number. Raises encodings.BeyondTable.
        """
        place = self.place(tokens.shape[1], positions, documents)
        x = self.embedding(tokens) * self.design.hidden**0.5  # (batch, length, hidden)
        if self.design.position == "learned":
            x = x + encodings.learned(self.table, place.positions)
        elif self.design.position == "sinusoidal":
            x = x + encodings.sinusoidal_table(place.positions, self.design.hidden, dtype=x.dtype)
        for block, bias in zip(self.blocks, place.biases, strict=True):
            x = block(x, place, bias)
        logits: Tensor = self.head(self.norm(x))
        return logits

    def place(self, length: int, positions: Tensor | None = None, documents: Tensor | None = None) -> Place:
        """What the layers need to know about positions."""
        design, like = self.design, self.head.weight
        index = torch.arange(length, device=like.device)  # who comes before whom
        told = index if positions is None else positions
        rotation, distance = None, like.new_zeros(1, length, length)
        if design.position == "rope":
            rotation = encodings.rope_tables(told, design.head_dim, factor=design.factor, dtype=like.dtype)
        if design.position == "alibi":
            slopes = torch.tensor(encodings.alibi_slopes(design.heads), device=like.device, dtype=like.dtype)
            distance = encodings.alibi_bias(slopes, told, told)  # (heads, queries, keys)

        def bias(pattern: Pattern) -> Tensor | None:
            if isinstance(pattern, Full) and documents is None and design.position != "alibi":
                return None
            q, k = index[:, None], index[None, :]
            kept = pattern.keeps(q, k) & (k <= q)
            if documents is not None:
                kept = kept & (documents[:, None] == documents)
            return distance.masked_fill(~kept, float("-inf"))

        made = {pattern: bias(pattern) for pattern in set(design.patterns)}
        return Place(told, rotation, tuple(made[pattern] for pattern in design.patterns))


def initialise(model: nn.Module, seed: int) -> None:
    """Normal numbers of variance 1/(columns) in every matrix, from a seed of its own; norms start as the identity."""
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            continue
        own = int.from_bytes(hashlib.blake2b(f"{seed} {name}".encode(), digest_size=6).digest(), "big")
        drawn = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(own))
        with torch.no_grad():
            parameter.copy_(drawn * parameter.shape[-1] ** -0.5)


def parameters(model: nn.Module) -> int:
    """How many numbers it learns."""
    return sum(parameter.numel() for parameter in model.parameters())
