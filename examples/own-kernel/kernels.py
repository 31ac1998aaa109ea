"""Two custom kernels in plain PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 128
EPSILON = 1e-5


def attend(q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False) -> Tensor:
    """Attention with an online softmax (Dao et al. 2022): no score matrix is larger than BLOCK × BLOCK per head.

    q (batch, heads, queries, head_dim), k and v (batch, kv_heads, keys, head_dim); returns q's shape.
    """
    q = q.unflatten(1, (k.shape[1], -1)) * q.shape[-1] ** -0.5  # (batch, kv_heads, group, queries, head_dim)
    k, v = k[:, :, None], v[:, :, None]
    firsts = range(0, q.shape[-2], BLOCK)
    pieces = [block(q[..., first : first + BLOCK, :], k, v, first if causal else None) for first in firsts]
    return torch.cat(pieces, dim=-2).flatten(1, 2)


def block(q: Tensor, k: Tensor, v: Tensor, first: int | None) -> Tensor:
    """A block of queries. `first`: position of the first one; None: they see every key."""
    seen = k.shape[-2] if first is None else first + q.shape[-2]
    out, total = torch.zeros_like(q), torch.zeros_like(q[..., :1])
    largest = torch.full_like(total, -torch.inf)
    for start in range(0, seen, BLOCK):
        keys = slice(start, min(start + BLOCK, seen))
        scores = q @ k[..., keys, :].mT
        if start == first:  # the block on the diagonal
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
            scores = scores.masked_fill(later, -torch.inf)
        larger = torch.maximum(largest, scores.amax(-1, keepdim=True))
        weights, shrink = (scores - larger).exp(), (largest - larger).exp()
        out = out * shrink + weights @ v[..., keys, :]
        total = total * shrink + weights.sum(-1, keepdim=True)
        largest = larger
    return out / total


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    """x and the result (batch, seq_len, hidden), weight (hidden)."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON) * weight
