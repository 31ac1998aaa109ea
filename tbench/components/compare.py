"""How far a result is from the float64 oracle, row by row, and how far it may be.

An error in one row out of thousands must not vanish in the norm of the whole, so rows are compared one by one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Largest error of a row that rounding explains, by dtype: several times what correct kernels show.
LIMITS = {"float32": 1e-4, "bfloat16": 6e-2, "float16": 1e-2}


def row_error(found: Tensor, expected: Tensor, smallest: float, floor: float = 0.0) -> float:
    """Largest over rows of ‖found − expected‖ / ‖expected‖; NaN if any element is not finite.

    A row below `smallest` times the root mean square row, or below `floor`, is compared with that size instead of its
    own. `floor` is for results that may be nothing but rounding: a difference that should be 0.
    """
    if found.shape != expected.shape or not bool(torch.isfinite(found).all()):
        return math.nan
    sizes = expected.norm(dim=-1)
    least = max(floor, smallest * float(sizes.square().mean().sqrt()))
    difference = (found - expected).norm(dim=-1)
    return float((difference / sizes.clamp(min=max(least, 1e-300))).max())
