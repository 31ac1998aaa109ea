"""What attention must compute and move at least, and what its variants hold at the peak. No torch.

Symbols: B batch, H heads, G KV heads, N queries, M keys, d head_dim, e bytes per element, P kept (query, key) pairs
of one head. Sources: FlashAttention (Dao et al. 2022, §3.2 and Theorem 2) for the traffic of a fused operation; the
matrix products of forward and backward are counted as multiply and add.
"""

from __future__ import annotations

from collections.abc import Sequence

from tbench.components.attention.problem import AttentionProblem
from tbench.records import Work

FORWARD = 4  # FLOPs per pair and head dimension: scores = q kᵀ, out = weights v
BACKWARD = 8  # dv, d weights, dq, dk; kernels that compute the scores once more (10) have no credit for it


def work(every: Sequence[AttentionProblem]) -> Work:
    """FLOPs and bytes of one call; for a stack of layers, the mean over its layers."""
    flops = sum(layer_flops(problem) for problem in every) / len(every)
    moved = sum(layer_bytes(problem) for problem in every) / len(every)
    held = sum(cache_bytes(problem) for problem in every) // len(every) if every[0].decode else None
    return Work(flops, moved, held)


def layer_flops(problem: AttentionProblem) -> float:
    per_pair = FORWARD + (BACKWARD if problem.backward else 0)
    return float(per_pair * problem.heads * problem.head_dim * pairs(problem))


def pairs(problem: AttentionProblem) -> int:
    """B·P; of a ragged batch, the sum over its sequences."""
    p = problem
    if not p.decode:
        return p.batch * p.pattern.pairs(p.keys, p.causal)
    if not p.lengths:
        return p.batch * p.pattern.seen(p.first_query, p.keys, p.causal)
    return sum(p.pattern.seen(keys - 1, keys, p.causal) for keys in p.lengths)


def layer_bytes(problem: AttentionProblem) -> float:
    """Every input read once and every output written once; nothing of the size N·M."""
    p = problem
    if p.decode:  # only the kept part of the cache is read
        moved = p.itemsize * p.head_dim * (2 * p.batch * p.heads + 2 * p.kv_heads * pairs(p))
        return float(moved)
    forward = p.itemsize * p.batch * p.head_dim * (2 * p.heads * p.queries + 2 * p.kv_heads * p.keys)
    if not p.backward:
        return float(forward)
    backward = p.itemsize * p.batch * p.head_dim * (4 * p.heads * p.queries + 4 * p.kv_heads * p.keys)
    return float(forward + backward)


def query_bytes(p: AttentionProblem) -> int:
    """Size of q, and of the output."""
    return p.itemsize * p.batch * p.heads * p.queries * p.head_dim


def cache_bytes(p: AttentionProblem) -> int:
    """Size of k and v together; a ragged batch's have room for the longest."""
    return 2 * p.itemsize * p.batch * p.kv_heads * p.keys * p.head_dim


def score_bytes(p: AttentionProblem) -> int:
    """Size of a score matrix: every query against every key."""
    return p.itemsize * p.batch * p.heads * p.queries * p.keys


def input_bytes(p: AttentionProblem) -> int:
    """q, k, v, and with a backward pass the gradient of the output."""
    return query_bytes(p) * (2 if p.backward else 1) + cache_bytes(p)


def resident_bytes(every: Sequence[AttentionProblem]) -> int:
    """Inputs of a case. A stack shares them in prefill and training; in decode each layer has a cache of its own,
    and the mean is counted."""
    if not every[0].decode:
        return input_bytes(every[0])
    return query_bytes(every[0]) + sum(cache_bytes(problem) for problem in every) // len(every)


def gradient_bytes(p: AttentionProblem) -> int:
    """dq, dk, dv."""
    return query_bytes(p) + cache_bytes(p) if p.backward else 0
