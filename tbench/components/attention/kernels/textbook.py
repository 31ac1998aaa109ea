"""Attention as a textbook writes it: all scores in memory, one operation after the other."""

from __future__ import annotations

import torch
from torch import Tensor

from tbench.components.attention.kernels.folding import fold, unfold
from tbench.components.attention.kernels.masks import dense_mask
from tbench.components.attention.problem import AttentionProblem
from tbench.components.compiling import compiled
from tbench.components.registry import Kernel


def naive(problem: AttentionProblem) -> Kernel:
    """softmax(q kᵀ · scale + mask) v, written out (Vaswani et al. 2017, equation 1)."""
    p = problem
    hidden = None if p.dense else p.hold(~dense_mask(p))
    if hidden is not None and p.lengths:
        hidden = hidden[:, None]  # (batch, 1, 1, 1, keys)
    shape = (p.batch, p.kv_heads, p.group, p.queries, p.keys)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = fold(p, q) @ k.transpose(-2, -1) * p.scale  # (batch, kv_heads, group · queries, keys)
        if hidden is not None:
            scores = scores.view(shape).masked_fill(hidden, float("-inf")).flatten(2, 3)
        weights = torch.softmax(scores, dim=-1)
        return unfold(p, weights @ v)

    return attend


def naive_compiled(problem: AttentionProblem) -> Kernel:
    """The same lines through torch.compile, which fuses what lies between the two products."""
    return compiled(problem.device, naive(problem))
