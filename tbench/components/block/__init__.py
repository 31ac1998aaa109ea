"""A Transformer block, from 2017's to 2024's, every step between them a switch. No torch here."""

from __future__ import annotations

from tbench.components.block import variants
from tbench.components.block.component import BLOCK

__all__ = ["BLOCK", "variants"]  # the latter registers itself
