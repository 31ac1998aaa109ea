"""FlashAttention's forward pass in Triton, as a custom kernel."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK_QUERIES, BLOCK_KEYS = 64, 64
LOG2_E = 1.4426950408889634


@triton.jit
def forward(
    q, k, v, out, queries, keys, group, scale,
    HEAD_DIM: tl.constexpr, CAUSAL: tl.constexpr, BLOCK_Q: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """One block of queries of one head: an online softmax over blocks of keys (Dao et al. 2022, algorithm 1)."""
    head = tl.program_id(1)  # of all sequences; `group` of them share a KV head
    rows = tl.program_id(0) * BLOCK_Q + tl.arange(0, BLOCK_Q)
    dims = tl.arange(0, HEAD_DIM)
    places = (head * queries + rows)[:, None] * HEAD_DIM + dims[None, :]
    ours = tl.load(q + places, mask=rows[:, None] < queries, other=0.0)
    largest = tl.full((BLOCK_Q,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_Q,), tl.float32)
    result = tl.zeros((BLOCK_Q, HEAD_DIM), tl.float32)
    seen = tl.minimum((tl.program_id(0) + 1) * BLOCK_Q, keys) if CAUSAL else keys
    for first in range(0, seen, BLOCK_K):
        columns = first + tl.arange(0, BLOCK_K)
        theirs = ((head // group) * keys + columns)[:, None] * HEAD_DIM + dims[None, :]
        there = columns[:, None] < keys
        scores = tl.dot(ours, tl.trans(tl.load(k + theirs, mask=there, other=0.0)), input_precision="ieee") * scale
        hidden = columns[None, :] >= keys
        if CAUSAL:
            hidden = hidden | (columns[None, :] > rows[:, None])
        scores = tl.where(hidden, float("-inf"), scores)
        larger = tl.maximum(largest, tl.max(scores, 1))
        weights, shrink = tl.exp2(scores - larger[:, None]), tl.exp2(largest - larger)
        values = tl.load(v + theirs, mask=there, other=0.0)
        result = result * shrink[:, None] + tl.dot(weights.to(values.dtype), values, input_precision="ieee")
        total = total * shrink + tl.sum(weights, 1)
        largest = larger
    tl.store(out + places, (result / total[:, None]).to(out.dtype.element_ty), mask=rows[:, None] < queries)


def attend(q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False) -> Tensor:
    """q (batch, heads, queries, head_dim), k and v (batch, kv_heads, keys, head_dim); returns q's shape.

    `head_dim`: a power of two from 16. No backward pass.
    """
    batch, heads, queries, head_dim = q.shape
    kv_heads, keys = k.shape[1:3]
    q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
    out = torch.empty_like(q)
    forward[(triton.cdiv(queries, BLOCK_QUERIES), batch * heads)](
        q, k, v, out, queries, keys, heads // kv_heads, LOG2_E * head_dim**-0.5,
        HEAD_DIM=head_dim, CAUSAL=causal, BLOCK_Q=BLOCK_QUERIES, BLOCK_K=BLOCK_KEYS,
    )  # fmt: skip
    return out
