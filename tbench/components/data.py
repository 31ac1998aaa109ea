"""What operations compute on: random data, drawn quickly, changed between samples, and known to be untouched.

Never zeros, which compute faster. What is timed is plain standard normal data; what is *checked* also has the hard
cases on which wrong kernels are told from right ones (`attention.inputs`, `norm.workload`).
"""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

# Random numbers are drawn once for this many elements and repeated: a cache of a gigabyte is filled at the speed of a
# copy. The number is prime, so that no two rows, blocks or heads are alike.
PERIOD = 1_048_583
NUDGED = 32  # elements at the start, at the end and anywhere, of tensors with more than SMALL bytes
SMALL = 2**18


@cache
def pool() -> npt.NDArray[np.float32]:
    """Standard normal numbers, drawn once a process, for every tensor another piece of them: drawing is slow.

    Not a tensor, for some kernels write over every tensor they find.
    """
    return np.random.default_rng(20170612).standard_normal(2 * PERIOD, dtype=np.float32)


def piece(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """`count` (at most PERIOD) standard normal numbers, float32."""
    start = int(torch.randint(PERIOD, (), generator=generator, device=generator.device))
    return torch.from_numpy(pool()[start : start + count].copy()).to(device)


def fill(x: Tensor, generator: torch.Generator, scale: float = 1.0, mean: float = 0.0) -> Tensor:
    """Normal numbers of standard deviation `scale`, with period PERIOD; returns one period of them (see `holds`)."""
    with torch.no_grad():
        flat = x.view(-1)
        drawn = piece(min(PERIOD, flat.numel()), generator, x.device)
        drawn = drawn.mul(scale).add_(mean).to(x.dtype)
        for start in range(0, flat.numel(), PERIOD):
            part = flat[start : start + PERIOD]
            part.copy_(drawn[: part.numel()])
    return drawn


def holds(x: Tensor, drawn: Tensor) -> bool:
    """Whether `x` (contiguous) still holds what it was filled with: `drawn` again and again; or a copy of all of it."""
    flat, drawn = torch.ops.aten.detach.default(x).view(-1), drawn.view(-1)
    parts = (flat[start : start + len(drawn)] for start in range(0, flat.numel(), len(drawn)))
    return all(torch.equal(part, drawn[: part.numel()]) for part in parts)


def nudge(x: Tensor, generator: torch.Generator) -> None:
    """Give a few elements other standard normal values, a small tensor all: what was computed is out of date."""
    if x.nbytes <= SMALL:
        fill(x, generator)
        return
    with torch.no_grad():
        flat = x.view(-1)
        width = min(NUDGED, flat.numel())
        last = flat.numel() - width
        drawn = piece(3 * width, generator, x.device).to(x.dtype).view(3, width)
        for values, start in zip(drawn, (0, random.randint(0, last), last), strict=True):
            flat[start : start + width] = values
