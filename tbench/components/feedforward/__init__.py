"""Feed-forward layers: ReLU (2017), GELU, and the gated GEGLU and SwiGLU (2024). No torch here."""

from __future__ import annotations

from tbench.components.feedforward import variants
from tbench.components.feedforward.component import FEEDFORWARD
from tbench.components.feedforward.formulas import parameters

__all__ = ["FEEDFORWARD", "parameters", "variants"]  # variants register themselves
