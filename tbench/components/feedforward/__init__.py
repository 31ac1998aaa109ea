"""Feed-forward layers: ReLU (2017), GELU, and the gated GEGLU and SwiGLU (2024). No torch here."""

from __future__ import annotations

from tbench.components.feedforward import variants
from tbench.components.feedforward.component import FEEDFORWARD

__all__ = ["FEEDFORWARD", "variants"]  # variants register themselves
