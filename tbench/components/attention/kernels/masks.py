"""A pattern as tensors: the dense mask, and the blocks that have anything to compute."""

from __future__ import annotations

import torch
from torch import Tensor

from tbench.components.attention.problem import AttentionProblem

BLOCK = 128


def positions(problem: AttentionProblem) -> tuple[Tensor, Tensor]:
    """Positions of the queries (queries, 1) and of the keys (1, keys)."""
    q = torch.arange(problem.queries, device=problem.device) + problem.first_query
    return q[:, None], torch.arange(problem.keys, device=problem.device)[None, :]


def dense_mask(problem: AttentionProblem) -> Tensor:
    """(queries, keys), True where the query sees the key; of a ragged batch (batch, 1, 1, keys).

    Made row by row block: positions are 8 bytes each.
    """
    q, k = positions(problem)
    if problem.lengths:
        return k < key_counts(problem)[:, None, None, None]
    return torch.cat([problem.kept(rows, k) for rows in q.split(BLOCK)])


def key_counts(problem: AttentionProblem) -> Tensor:
    """(batch), int32: how many keys each sequence has."""
    counts = [problem.keys_of(sequence) for sequence in range(problem.batch)]
    return torch.tensor(counts, dtype=torch.int32, device=problem.device)


def blocks(problem: AttentionProblem) -> tuple[Tensor, Tensor]:
    """(query blocks, key blocks) each: which blocks of 128 × 128 hold kept pairs, and which hold nothing else."""
    q, k = positions(problem)
    some, every = [], []
    for rows in q.split(BLOCK):
        kept = problem.kept(rows, k).any(0), problem.kept(rows, k).all(0)
        some.append(torch.stack([part.any() for part in kept[0].split(BLOCK)]))
        every.append(torch.stack([part.all() for part in kept[1].split(BLOCK)]))
    return torch.stack(some), torch.stack(every)
