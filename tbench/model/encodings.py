"""How a token learns where it stands. Plain functions on tensors, for the benchmark and for models.

    learned       a vector for each position, added to the token's         Gehring et al. 2017
    sinusoidal    the same, but computed                                   Vaswani et al. 2017, §3.5
    rope          query and key turned by angles that grow with position   Su et al. 2021
    … interpolated   positions divided by a factor first                   Chen et al. 2023
    alibi         scores lowered in proportion to distance                 Press et al. 2022

Angles are computed in float64 whatever comes out: at position 10⁴ the product of position and frequency is off by
up to 5e-4 in float32, and by tens in bfloat16. Tables are made once, so this costs nothing later.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tbench.model.config import ROPE_BASE

BASE = float(ROPE_BASE)  # of the frequencies, in sinusoidal and RoPE


class BeyondTable(IndexError):
    """A position for which a learned table has no vector."""


def frequencies(size: int, base: float, like: Tensor, angles: torch.dtype) -> Tensor:
    """(size / 2): base^(−2i / size), from 1 down."""
    pairs = torch.arange(0, size, 2, dtype=torch.float64, device=like.device)
    return (base ** (-pairs / size)).to(angles)


def rope_tables(
    positions: Tensor,
    head_dim: int,
    base: float = BASE,
    factor: float = 1.0,
    dtype: torch.dtype = torch.float32,
    angles: torch.dtype = torch.float64,
) -> tuple[Tensor, Tensor]:
    """Cosines and sines, (positions, head_dim / 2) each.

    `factor`: how many times longer than trained (1: plain RoPE). `angles`: the format they are computed in.
    """
    angle = (positions.to(angles) / factor)[:, None] * frequencies(head_dim, base, positions, angles)
    return angle.cos().to(dtype), angle.sin().to(dtype)


def apply_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn element i with element i + head_dim / 2 (as Llama does in Hugging Face's weights).

    x: (…, head_dim) with positions anywhere before; cos and sin must broadcast against its halves: (positions,
    head_dim / 2) fits (batch, heads, positions, head_dim), and [:, None] of it (batch, positions, heads, head_dim).
    """
    left, right = x.chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1)


def sinusoidal_table(positions: Tensor, hidden: int, base: float = BASE, dtype: torch.dtype = torch.float32) -> Tensor:
    """(positions, hidden): sines in even places, cosines in odd ones."""
    angle = positions.double()[:, None] * frequencies(hidden, base, positions, torch.float64)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(-2).to(dtype)


def learned(table: Tensor, positions: Tensor) -> Tensor:
    """(…, hidden): the rows of `table` (longest, hidden) at `positions`. Raises BeyondTable."""
    require_positions(len(table), positions)
    return F.embedding(positions, table)


def require_positions(longest: int, positions: Tensor) -> None:
    """Raise BeyondTable where a position is not below `longest`. On a GPU this waits for it: not for every call."""
    last = int(positions.max())
    if last >= longest:
        raise BeyondTable(
            f"position {last} has no vector: the table was learned for {longest} positions, 0 to {longest - 1}; "
            f"shorten the input, or use an encoding that is computed"
        )


def alibi_slopes(heads: int) -> list[float]:
    """One for each head: 2^(−8/n), 2^(−16/n), … for n heads, n a power of two.

    Otherwise those of the power below, and every second one of the power above (the authors' own code).
    """
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (head + 1) / power) for head in range(power)]
    between = [2 ** (-4 * (head + 1) / power) for head in range(0, 2 * power, 2)]
    return slopes + between[: heads - power]


def alibi_bias(slopes: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """(heads, queries, keys): what to add to the scores, −slope · distance. Keys after the query are not hidden."""
    return slopes[:, None, None] * -(queries[:, None] - keys).abs()
