"""Windows without a special kernel: short pieces of queries against the few keys they can see.

    queries  ···|  C  |···          C queries see the W − 1 keys before them and their own C
    keys   ···|W−1|  C  |···        (and the W − 1 after them where attention is not causal)

All pieces have the same shape and the same mask, so they are one batched SDPA call on overlapping views of K and V:
nothing is copied on the way in. Pieces at the edges of the sequence are calls of their own. Cf. Longformer (Beltagy
et al. 2020, §3.2), which cuts the same way.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention as sdpa

from tbench.components.attention.problem import AttentionProblem
from tbench.components.registry import Kernel

PIECE = {"cpu": 64, "cuda": 128}  # least C: small wastes less outside the window, large fills the tiles of the kernel
SHARE = 4  # C is a quarter of a wide window, or there would be many pieces at the edges


def chunked(problem: AttentionProblem) -> Kernel:
    """Sliding-window attention by gathered chunks; the pattern must have a reach."""
    p = problem
    reach = p.pattern.reach
    assert reach is not None
    if p.device == "cpu":
        p.enter(sdpa_kernel([SDPBackend.FLASH_ATTENTION]))
    size = max(PIECE[p.device.split(":")[0]], reach // SHARE)
    before, after = reach - 1, 0 if p.causal else reach - 1
    # Pieces number `first` to `last` - 1 see keys within the sequence only; the others are edges.
    first = -(-before // size)
    last = max(first, (p.keys - after) // size)
    starts = [*range(0, first * size, size), *range(last * size, p.queries, size)]

    def piece(start: int) -> tuple[slice, slice, Tensor]:
        """Queries from `start` on, the keys they can see, and which of them each sees (group · queries, keys)."""
        rows = slice(start, min(start + size, p.queries))
        keys = slice(max(0, start - before), min(p.keys, rows.stop + after))
        q = torch.arange(rows.start, rows.stop, device=p.device)[:, None]
        k = torch.arange(keys.start, keys.stop, device=p.device)[None]
        mask = torch.zeros(q.numel(), k.numel(), dtype=getattr(torch, p.dtype), device=p.device)
        return rows, keys, p.hold(mask.masked_fill_(~p.kept(q, k), float("-inf")).repeat(p.group, 1))

    edges = [piece(start) for start in starts if start < p.queries]
    inside = piece(first * size)[2] if last > first else None

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q = q.view(p.batch * p.kv_heads, p.group, p.queries, p.head_dim)
        k, v = (x.view(p.batch * p.kv_heads, 1, p.keys, p.head_dim) for x in (k, v))
        parts = [
            ungrouped(sdpa(grouped(q[:, :, None, rows]), k[:, :, keys], v[:, :, keys], attn_mask=mask))
            for rows, keys, mask in edges
        ]
        if inside is not None:
            parts.insert(first, inner(q, k, v))
        out = parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)
        return out.view(p.batch, p.heads, p.queries, p.head_dim)

    def inner(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """All inner pieces in one call: the pieces take the place of the heads."""
        pieces, span = last - first, before + size + after
        begin = first * size - before
        rows = q[:, :, first * size : last * size].unflatten(2, (pieces, size))
        k, v = (x[:, 0, begin : begin + (pieces - 1) * size + span].unfold(1, span, size).mT for x in (k, v))
        return ungrouped(sdpa(grouped(rows), k, v, attn_mask=inside))

    def grouped(rows: Tensor) -> Tensor:
        """(·, group, pieces, C, head_dim) → (·, pieces, group · C, head_dim): a view for MHA, else a copy of q."""
        return rows.transpose(1, 2).flatten(2, 3)

    def ungrouped(out: Tensor) -> Tensor:
        """(·, pieces, group · C, head_dim) → (·, group, pieces · C, head_dim)"""
        pieces: Tensor = out.unflatten(2, (p.group, -1))
        return pieces.transpose(1, 2).flatten(2, 3)

    return attend
