"""Sharing KV heads without repeating them in memory, and without any kernel's help: only views."""

from __future__ import annotations

from torch import Tensor

from tbench.components.attention.problem import AttentionProblem


def fold(problem: AttentionProblem, q: Tensor) -> Tensor:
    """Queries of a group one after the other, onto their KV head.

    (batch, heads, queries, head_dim) → (batch, kv_heads, group · queries, head_dim)
    """
    p = problem
    return q.view(p.batch, p.kv_heads, p.group * p.queries, p.head_dim)


def unfold(problem: AttentionProblem, out: Tensor) -> Tensor:
    """(batch, kv_heads, group · queries, head_dim) → (batch, heads, queries, head_dim)"""
    p = problem
    return out.view(p.batch, p.heads, p.queries, p.head_dim)


def spread(problem: AttentionProblem, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Every KV head as a batch of its own, seen by each query head of its group through a stride of 0.

    q → (batch · kv_heads, group, queries, head_dim);  k, v → (batch · kv_heads, group, keys, head_dim)
    """
    p = problem
    size = (p.batch * p.kv_heads, p.group, p.keys, p.head_dim)
    k, v = (x.view(p.batch * p.kv_heads, 1, p.keys, p.head_dim).expand(size) for x in (k, v))
    return q.view(p.batch * p.kv_heads, p.group, p.queries, p.head_dim), k, v
