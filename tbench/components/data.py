"""Random data, drawn quickly: never zeros (they compute faster), new for every check."""

from __future__ import annotations

import torch
from torch import Tensor

# Random numbers are drawn once for this many elements and repeated: a cache of a gigabyte is filled at the speed of a
# copy. The number is prime, so that no two rows, blocks or heads are alike.
PERIOD = 1_048_583


def fill(x: Tensor, generator: torch.Generator) -> None:
    """Standard normal numbers, with period PERIOD."""
    with torch.no_grad():
        flat = x.view(-1)
        drawn = torch.randn(min(PERIOD, flat.numel()), generator=generator, device=x.device).to(x.dtype)
        for start in range(0, flat.numel(), PERIOD):
            part = flat[start : start + PERIOD]
            part.copy_(drawn[: part.numel()])
