"""Normalisation of each token's vector: LayerNorm (2017) and RMSNorm (2024). No torch here."""

from __future__ import annotations

from tbench.components.norm import variants
from tbench.components.norm.component import NORM

__all__ = ["NORM", "variants"]  # the latter registers itself
