"""What attention should give, in float64, for a sample of rows; and how far a result is from it.

The whole of a long sequence would take the oracle minutes, so a few KV heads and a few query rows are drawn anew at
every check, always among them the first and last rows and those at the edge of the pattern. Rows are compared one by
one: an error in one row out of thousands must not vanish in the norm of the whole. A row of the result is compared
with its own size; a row of a gradient, which may be a small difference of large terms, with at least the usual row's.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tbench.components.attention.problem import Problem
from tbench.components.compare import LIMITS, row_error
from tbench.components.workload import Check

MOST_HEADS = 4
MOST_ROWS = 64
MOST_PAIRS = 2**22  # of a check, all sampled heads together
SMALLEST_ROW = {"out": 0.1, "dq": 1.0, "dk": 1.0, "dv": 1.0}  # of the root mean square row
CANCELLED = 1e-2  # dq and dk are 0 where a query sees one key only: then rounding is told by the gradient's own size


@dataclass(frozen=True)
class Sample:
    """`heads`: (batch, KV head) pairs. `rows`: query rows, the same in every head."""

    heads: tuple[tuple[int, int], ...]
    rows: Tensor


def draw(problem: Problem, seed: int) -> Sample:
    p = problem
    chance = random.Random(seed)
    every = [(batch, head) for batch in range(p.batch) for head in range(p.kv_heads)]
    corners = [every[0], every[-1]] if len(every) > 1 else every
    others = [pair for pair in every if pair not in corners]
    heads = corners + chance.sample(others, min(len(others), MOST_HEADS - len(corners)))
    count = max(2, min(MOST_ROWS, MOST_PAIRS // (len(heads) * p.group * p.keys)))
    edges = [0, p.queries - 1]
    if p.pattern.reach is not None:
        edges += [p.pattern.reach - 1, p.pattern.reach, p.pattern.reach + 1]
    rows = dict.fromkeys(row for row in edges if 0 <= row < p.queries)
    rows |= dict.fromkeys(chance.sample(range(p.queries), min(p.queries, count)))
    return Sample(tuple(heads), torch.tensor(sorted(list(rows)[:count]), device=p.device))


def reference(
    problem: Problem, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, grad: Tensor | None
) -> dict[str, Tensor]:
    """One KV head: q and grad (group, rows, head_dim), k and v (keys, head_dim). In float64, result and gradients."""
    q, k, v = (x.detach().double().requires_grad_(grad is not None) for x in (q, k, v))
    positions = rows[:, None] + problem.first_query
    kept = problem.kept(positions, torch.arange(problem.keys, device=rows.device)[None])
    scores = (q @ k.T / math.sqrt(problem.head_dim)).masked_fill(~kept, -math.inf)
    out = torch.softmax(scores, dim=-1) @ v
    if grad is None:
        return {"out": out}
    dq, dk, dv = torch.autograd.grad(out, (q, k, v), grad.double())
    return {"out": out.detach(), "dq": dq, "dk": dk, "dv": dv}


def compare(problem: Problem, sample: Sample, inputs: Mapping[str, Tensor], results: Mapping[str, Tensor]) -> Check:
    """Compare `out` (and dq, dk, dv) with the oracle. All tensors (batch, heads, length, head_dim)."""
    worst, detail = -1.0, ""
    for batch, head in sample.heads:
        group = slice(head * problem.group, (head + 1) * problem.group)
        grad = inputs["grad"][batch, group][:, sample.rows] if "grad" in inputs else None
        k, v = inputs["k"][batch, head], inputs["v"][batch, head]
        floor = 0.0 if grad is None else CANCELLED * float(grad.double().norm(dim=-1).max())
        truth = reference(problem, inputs["q"][batch, group][:, sample.rows], k, v, sample.rows, grad)
        for name, right in truth.items():
            found = results[name][batch, head] if name in ("dk", "dv") else results[name][batch, group][:, sample.rows]
            error = row_error(found.detach().double(), right, SMALLEST_ROW[name], 0.0 if name == "out" else floor)
            if math.isnan(error) or error > worst:
                worst, detail = error, f"in {name}, batch {batch}, KV head {head}"
            if math.isnan(worst):
                return Check(worst, LIMITS[problem.dtype], detail)
    return Check(worst, LIMITS[problem.dtype], detail)
