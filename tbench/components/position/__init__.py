"""Positions: learned, sinusoidal (2017), RoPE (2024), RoPE with interpolation, ALiBi, none. No torch here.

component    its axes, and what it costs at least;  formulas: the same, and what variants hold beside it
kernels      encodings at work, as they are timed;  variants: a short entry for each way
workload     what a worker times, and its float64 reference
"""

from __future__ import annotations

from tbench.components.position import variants
from tbench.components.position.component import POSITION

__all__ = ["POSITION", "variants"]  # the latter registers itself
