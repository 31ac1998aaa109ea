"""Tensors to compute on: random, never zeros, refilled in place so that no kernel can answer from memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tbench.components.attention.problem import AttentionProblem
from tbench.components.data import fill, holds, nudge

# In data for checks: scores whose exponential overflows float32 (past 88) in some queries, and keys with a mean.
LARGE, KEY_MEAN = 120.0, 0.5  # times as large; of keys whose standard deviation is 1
LARGE_EVERY, LARGE_FIRST = 8, 3  # rows; where there is one row only, every second head


@dataclass(frozen=True)
class Inputs:
    """q, k, v and, for a backward pass, the gradient of the output; in the layout the variant wants.

    `bhnd`: (batch, heads, length, head_dim); `bnhd`: (batch, length, heads, head_dim).
    """

    q: Tensor
    k: Tensor
    v: Tensor
    grad: Tensor | None
    layout: str

    def canonical(self, x: Tensor) -> Tensor:
        """A view as (batch, heads, length, head_dim)."""
        return x.transpose(1, 2) if self.layout == "bnhd" else x

    def named(self) -> dict[str, Tensor]:
        every = {"q": self.q, "k": self.k, "v": self.v, "grad": self.grad}
        return {name: x for name, x in every.items() if x is not None}

    def fill(self, generator: torch.Generator, key_mean: float = 0.0) -> dict[str, Tensor]:
        """Fill all of them; what each holds now, for `changed`."""
        return {name: fill(x, generator, mean=key_mean if name == "k" else 0.0) for name, x in self.named().items()}

    def nudge(self, generator: torch.Generator) -> None:
        for x in self.named().values():
            nudge(x, generator)

    def changed(self, held: Mapping[str, Tensor]) -> list[str]:
        """The names of those that hold something else now."""
        return [name for name, x in self.named().items() if not holds(x, held[name])]

    def enlarge(self, large: Tensor) -> None:
        """Scale the queries of `large` (heads, queries) up."""
        with torch.no_grad():
            q = self.canonical(self.q)
            q.mul_(torch.where(large, LARGE, 1.0).to(q.dtype)[:, :, None])


def large_queries(problem: AttentionProblem, seed: int) -> Tensor:
    """(heads, queries): which have large scores in the data of a check."""
    heads = torch.arange(problem.heads, device=problem.device)[:, None]
    rows = torch.arange(problem.queries, device=problem.device)[None]
    if problem.queries == 1:
        return (heads + rows + seed) % 2 == 1
    return (rows % LARGE_EVERY == LARGE_FIRST).expand(problem.heads, -1)


def make(problem: AttentionProblem, layout: str, q: Tensor | None = None) -> Inputs:
    """Uninitialised inputs; `q` is shared if given."""
    p = problem

    def empty(heads: int, length: int, learns: bool) -> Tensor:
        size = (p.batch, length, heads, p.head_dim) if layout == "bnhd" else (p.batch, heads, length, p.head_dim)
        return torch.empty(size, dtype=getattr(torch, p.dtype), device=p.device, requires_grad=learns and p.backward)

    return Inputs(
        q=empty(p.heads, p.queries, True) if q is None else q,
        k=empty(p.kv_heads, p.keys, True),
        v=empty(p.kv_heads, p.keys, True),
        grad=empty(p.heads, p.queries, False) if p.backward else None,
        layout=layout,
    )
