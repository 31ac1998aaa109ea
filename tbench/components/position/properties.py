"""What must hold of rotary positions in attention, as a number: only distances count."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tbench.model.encodings import apply_rope, rope_tables


def shift_change(
    shifts: Sequence[int], positions: int = 128, head_dim: int = 64, angles: torch.dtype = torch.float64, seed: int = 0
) -> float:
    """Largest change of RoPE's attention logits when every position moves by one of `shifts`, relative to the
    largest logit. q and k are random and float32, and so is everything but the angles.
    """
    q, k = torch.randn(2, 8, positions, head_dim, generator=torch.Generator().manual_seed(seed))

    def logits(shift: int) -> Tensor:
        tables = rope_tables(torch.arange(positions) + shift, head_dim, angles=angles)
        return apply_rope(q, *tables) @ apply_rope(k, *tables).mT / math.sqrt(head_dim)

    unmoved = logits(0)
    return max(float((logits(shift) - unmoved).abs().max() / unmoved.abs().max()) for shift in shifts)
