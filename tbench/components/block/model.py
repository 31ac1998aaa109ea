"""The block itself, as it is timed. x (B, N, D); in decode N is 1 and the cache holds the tokens before it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from tbench.components.block.design import Design
from tbench.components.compare import require_form
from tbench.components.registry import Kernel

EPSILON = 1e-5
ATTENTION = "attention's result inside the block"
BASE = 10_000.0  # of RoPE's frequencies (Su et al. 2021, §3.2.2)


class Block:
    """`attend(q, k, v)`: (B, H, N, d), (B, G, M, d), (B, G, M, d) → (B, H, N, d). `cache`: k and v of decode."""

    def __init__(self, design: Design, attend: Kernel, cache: tuple[Tensor, Tensor] | None) -> None:
        self.design, self.attend, self.cache = design, attend, cache
        first = design.seq_len - design.queries  # position of the first token of x
        self.turn = rotation(design, first) if design.rotary else None

    def __call__(self, x: Tensor, w: Mapping[str, Tensor]) -> Tensor:
        if self.design.placement == "pre":
            x = x + self.attention(self.norm(x, w, 1), w)
            return x + self.feedforward(self.norm(x, w, 2), w)
        x = self.norm(x + self.attention(x, w), w, 1)
        return self.norm(x + self.feedforward(x, w), w, 2)

    def norm(self, x: Tensor, w: Mapping[str, Tensor], number: int) -> Tensor:
        size, scale = (self.design.hidden,), w[f"norm{number}"]
        if self.design.norm == "layernorm":
            return F.layer_norm(x, size, scale, w[f"bias{number}"], EPSILON)
        return F.rms_norm(x, size, scale, EPSILON)

    def attention(self, x: Tensor, w: Mapping[str, Tensor]) -> Tensor:
        q, k, v = (self.split(F.linear(x, w[name])) for name in ("query", "key", "value"))
        if self.turn is not None:
            q, k = rotated(q, *self.turn), rotated(k, *self.turn)
        if self.cache is not None:
            k, v = self.remembered(k, v)
        out = self.attend(q.contiguous(), k.contiguous(), v.contiguous())  # (B, H, N, d)
        try:  # costs nothing where nothing is raised
            return F.linear(out.transpose(1, 2).flatten(2), w["out"])
        except Exception:
            require_form(ATTENTION, out, q)
            raise

    def split(self, x: Tensor) -> Tensor:
        """(B, N, heads · d) → (B, heads, N, d)"""
        apart: Tensor = x.unflatten(2, (-1, self.design.head_dim))
        return apart.transpose(1, 2)

    def remembered(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """The cache with this token's k and v in its last place."""
        assert self.cache is not None
        for whole, new in zip(self.cache, (k, v), strict=True):
            whole[:, :, -1:] = new
        return self.cache

    def feedforward(self, x: Tensor, w: Mapping[str, Tensor]) -> Tensor:
        return F.linear(self.activated(x, w), w["down"])

    def activated(self, x: Tensor, w: Mapping[str, Tensor]) -> Tensor:
        """Inside the feed-forward layer, (B, N, F)."""
        up = F.linear(x, w["up"])
        return F.silu(F.linear(x, w["gate"])) * up if self.design.gated else F.relu(up)


def rotation(design: Design, first: int) -> tuple[Tensor, Tensor]:
    """cos and sin, (N, d), of the angle of every position and pair. Angles are float32: halves are too coarse."""
    positions = torch.arange(first, first + design.queries, device=design.device, dtype=torch.float32)
    pairs = torch.arange(0, design.head_dim, 2, device=design.device, dtype=torch.float32)
    angles = positions[:, None] * BASE ** (-pairs / design.head_dim)
    angles = torch.cat((angles, angles), dim=-1)
    dtype = getattr(torch, design.dtype)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (x₁, x₂) of x (·, N, d), whose halves stand side by side as in Llama's code."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin
