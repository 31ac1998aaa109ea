"""Tensors to compute on: random, never zeros, refilled in place so that no kernel can answer from memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tbench.components.attention.problem import Problem
from tbench.components.data import fill


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

    def tensors(self) -> list[Tensor]:
        return [x for x in (self.q, self.k, self.v, self.grad) if x is not None]

    def fill(self, generator: torch.Generator) -> None:
        for x in self.tensors():
            fill(x, generator)


def make(problem: Problem, layout: str, q: Tensor | None = None) -> Inputs:
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
