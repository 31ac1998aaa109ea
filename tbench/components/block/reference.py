"""What a block should give for some rows, written down once more, without any fused operation.

In float64 it is the oracle; in a case's own dtype the plain computation, from which follows what rounding may do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from tbench.components.block.design import Design
from tbench.components.block.model import BASE, EPSILON


def block(
    design: Design,
    x: Tensor,
    w: Mapping[str, Tensor],
    rows: Tensor,
    cache: tuple[Tensor, Tensor] | None,
    active: Tensor | None,
) -> Tensor:
    """One sequence: x (N, D), rows (R). Returns the result's rows (R, D).

    `active` (R, F): which units ReLU lets through, None to decide here. A number next to 0 falls on one side or the
    other by rounding, and its gradient with it.
    """
    chosen = x[rows]
    if design.placement == "pre":
        chosen = chosen + attention(design, normed(design, x, w, 1), w, rows, cache)
        return chosen + feedforward(design, normed(design, chosen, w, 2), w, active)
    chosen = normed(design, chosen + attention(design, x, w, rows, cache), w, 1)
    return normed(design, chosen + feedforward(design, chosen, w, active), w, 2)


def normed(design: Design, x: Tensor, w: Mapping[str, Tensor], number: int) -> Tensor:
    wide = x if x.dtype == torch.float64 else x.float()  # halves are normalised in float32, as everywhere
    if design.norm == "layernorm":
        wide = wide - wide.mean(-1, keepdim=True)
    out = (wide / ((wide * wide).mean(-1, keepdim=True) + EPSILON).sqrt()).to(x.dtype) * w[f"norm{number}"]
    return out + w[f"bias{number}"] if design.norm == "layernorm" else out


def attention(
    design: Design, x: Tensor, w: Mapping[str, Tensor], rows: Tensor, cache: tuple[Tensor, Tensor] | None
) -> Tensor:
    """Head by head: every query head looks at the KV head of its group."""
    positions = torch.arange(len(x), device=x.device) + design.seq_len - design.queries
    outs = []
    for head in range(design.heads):
        shared = head // (design.heads // design.kv_heads)
        q = turned(design, x[rows] @ part(w["query"], head, design).T, positions[rows])
        k = turned(design, x @ part(w["key"], shared, design).T, positions)
        v = x @ part(w["value"], shared, design).T
        if cache is not None:
            k, v = (torch.cat((old[shared, :-1], new)) for old, new in zip(cache, (k, v), strict=True))
        scores = q @ k.T / math.sqrt(design.head_dim)
        later = torch.arange(len(k), device=x.device)[None] > positions[rows][:, None]
        outs.append(torch.softmax(scores.masked_fill(later, -math.inf), dim=-1) @ v)
    return torch.cat(outs, dim=-1) @ w["out"].T


def part(matrix: Tensor, head: int, design: Design) -> Tensor:
    """The rows of a projection that make one head."""
    return matrix[head * design.head_dim : (head + 1) * design.head_dim]


def turned(design: Design, x: Tensor, positions: Tensor) -> Tensor:
    """Each pair of numbers as a complex number, turned by its angle (Su et al. 2021, equation 13)."""
    if not design.rotary:
        return x
    half = design.head_dim // 2
    frequencies = BASE ** (-torch.arange(half, dtype=torch.float64, device=x.device) / half)
    angles = positions.double()[:, None] * frequencies
    turning = torch.polar(torch.ones_like(angles), angles)
    out = torch.complex(x[:, :half].double(), x[:, half:].double()) * turning
    return torch.cat((out.real, out.imag), dim=-1).to(x.dtype)


def feedforward(design: Design, x: Tensor, w: Mapping[str, Tensor], active: Tensor | None) -> Tensor:
    up = x @ w["up"].T
    if design.gated:
        gate = x @ w["gate"].T
        return (gate / (1 + torch.exp(-gate)) * up) @ w["down"].T
    return (up * (up > 0 if active is None else active)) @ w["down"].T
