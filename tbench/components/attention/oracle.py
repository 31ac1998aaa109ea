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

from tbench.components.attention.problem import AttentionProblem
from tbench.components.compare import Rows, array, worst
from tbench.components.workload import Check

MOST_HEADS = 4
MOST_ROWS = 64
MOST_PAIRS = 2**22  # of a check, all sampled heads together
SMALLEST_ROW = {"out": 0.1, "dq": 1.0, "dk": 1.0, "dv": 1.0}  # of the root mean square row
CANCELLED = 3e-2  # dq and dk are 0 where a query sees one key only: then rounding is told by the gradient's own size


@dataclass(frozen=True)
class Sample:
    """`heads`: (batch, KV head) pairs. `rows`: query rows, the same in every head."""

    heads: tuple[tuple[int, int], ...]
    rows: Tensor


def draw(problem: AttentionProblem, seed: int) -> Sample:
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


def attention(
    problem: AttentionProblem, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, grad: Tensor | None
) -> dict[str, Tensor]:
    """One KV head, by the equation: q and grad (group, rows, head_dim), k and v (keys, head_dim), in their own dtype;
    in decode the query is the last key's.

    Result and gradients. In float64 it is the oracle, in a case's dtype the plain computation.
    """
    q, k, v = (x.detach().clone().requires_grad_(grad is not None) for x in (q, k, v))
    positions = rows[:, None] + (len(k) - 1 if problem.decode else 0)
    kept = problem.kept(positions, torch.arange(len(k), device=rows.device)[None])
    with torch.set_grad_enabled(grad is not None):
        scores = (q @ k.T / math.sqrt(problem.head_dim)).masked_fill(~kept, -math.inf)
        out = torch.softmax(scores, dim=-1) @ v
    if grad is None:
        return {"out": out}
    dq, dk, dv = torch.autograd.grad(out, (q, k, v), grad)
    return {"out": out.detach(), "dq": dq, "dk": dk, "dv": dv}


@dataclass(frozen=True)
class Expected:
    """What the sampled rows should be: per (batch, KV head) and name, of the result and its gradients."""

    problem: AttentionProblem
    sample: Sample
    rows: Mapping[tuple[int, int], Mapping[str, Rows]]

    def compare(self, results: Mapping[str, Tensor]) -> Check:
        """The worst of `out` (and dq, dk, dv), all (batch, heads, length, head_dim)."""
        checks = []
        for (batch, head), named in self.rows.items():
            for name, right in named.items():
                found = results[name]
                if name in ("dk", "dv"):
                    found = found[batch, head]
                else:
                    found = found[batch, group_of(self.problem, head)][:, self.sample.rows].flatten(0, 1)
                checks.append(right.compare(found, self.problem.case.arithmetic))
        return worst(checks)


def expected(problem: AttentionProblem, sample: Sample, inputs: Mapping[str, Tensor], large: Tensor | None) -> Expected:
    """Work it out from q, k, v (and grad), all (batch, heads, length, head_dim); `large` (heads, queries), if any."""
    found = {}
    for batch, head in sample.heads:
        group = group_of(problem, head)
        grad = inputs["grad"][batch, group][:, sample.rows] if "grad" in inputs else None
        keys = problem.keys_of(batch)
        q, k, v = inputs["q"][batch, group][:, sample.rows], *(inputs[name][batch, head, :keys] for name in ("k", "v"))
        plain = attention(problem, q, k, v, sample.rows, grad)
        wide = None if grad is None else grad.double()
        truth = attention(problem, q.double(), k.double(), v.double(), sample.rows, wide)
        floor = 0.0 if grad is None else CANCELLED * float(grad.double().norm(dim=-1).max())
        kinds = None if large is None else array(large[group][:, sample.rows]).ravel()
        found[batch, head] = {
            name: Rows(
                f"{name}, batch {batch}, KV head {head}",
                array(right.flatten(0, -2)),
                array(plain[name].flatten(0, -2)),
                kinds if name == "out" else None,
                SMALLEST_ROW[name],
                0.0 if name == "out" else floor,
            )
            for name, right in truth.items()
        }
    return Expected(problem, sample, found)


def group_of(problem: AttentionProblem, head: int) -> slice:
    """The query heads of a KV head."""
    return slice(head * problem.group, (head + 1) * problem.group)
