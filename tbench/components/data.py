"""What operations compute on: random data, drawn quickly, changed between samples, and known to be untouched.

Never zeros, which compute faster. What is timed is plain standard normal data; what is *checked* also has the hard
cases on which wrong kernels are told from right ones (`attention.inputs`, `norm.workload`).
"""

from __future__ import annotations

import os
from functools import cache

import torch
from torch import Tensor

# Random numbers are drawn once for this many elements and repeated: a cache of a gigabyte is filled at the speed of a
# copy. The number is prime, so that no two rows, blocks or heads are alike.
PERIOD = 1_048_583
NUDGED = 32  # elements at the start, at the end and anywhere
SECRET = int.from_bytes(os.urandom(7), "little")  # of the fingerprints of this process


def fill(x: Tensor, generator: torch.Generator, scale: float = 1.0) -> None:
    """Normal numbers of standard deviation `scale`, with period PERIOD."""
    with torch.no_grad():
        flat = x.view(-1)
        drawn = torch.randn(min(PERIOD, flat.numel()), generator=generator, device=x.device)
        drawn = drawn.mul_(scale).to(x.dtype)
        for start in range(0, flat.numel(), PERIOD):
            part = flat[start : start + PERIOD]
            part.copy_(drawn[: part.numel()])


def nudge(x: Tensor, generator: torch.Generator, scale: float = 1.0) -> None:
    """Give a few elements other values of the kind `fill` gives: what was computed of the old ones is out of date."""
    with torch.no_grad():
        flat = x.view(-1)
        count = flat.numel()
        ends = [(0, min(NUDGED, count)), (max(0, count - NUDGED), count)]
        anywhere = torch.randint(count, (NUDGED,), generator=generator, device=x.device)
        where = torch.cat([*(torch.arange(*end, device=x.device) for end in ends), anywhere])
        drawn = torch.randn(len(where), generator=generator, device=x.device)
        flat[where] = drawn.mul_(scale).to(x.dtype)


def fingerprint(x: Tensor) -> int:
    """A number that another content of `x` has too only by chance, of about 2⁻³²: a multilinear hash of its bits.

    (Carter & Wegman 1979, with the weights of the process, which no kernel can know beforehand.)
    """
    bits = (
        torch.ops.aten.detach.default(x)
        .contiguous()
        .view(-1)
        .view(torch.int16 if x.element_size() == 2 else torch.int32)
    )
    weights = weights_of(x.device)
    total = 0
    for number, start in enumerate(range(0, bits.numel(), PERIOD)):
        part = bits[start : start + PERIOD].to(torch.int64)
        total += int((part * weights[: part.numel()]).sum()) * (2 * number + 1)
    return total & 0xFFFF_FFFF_FFFF_FFFF


@cache
def weights_of(device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(SECRET)
    return torch.randint(-(2**62), 2**62, (PERIOD,), generator=generator).mul_(2).add_(1).to(device)
