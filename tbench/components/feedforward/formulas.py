"""Sizes of a feed-forward layer, what it must compute and move at least, and what its variants hold. No torch.

Symbols: T tokens, D hidden, F ffn_hidden, P parameters, e bytes per element. Layers have no bias, as in Shazeer 2020.
"""

from __future__ import annotations

from tbench.components.problem import Problem
from tbench.model.config import GATED, matched_width
from tbench.records import Work

LEAST_MATCHED = next(size for size in range(1, 100) if all(matched_width(4 * d, True) for d in range(size, 100)))


class FeedForward(Problem):
    """Sizes of one layer."""

    @property
    def hidden(self) -> int:
        return self.case.integer("hidden")

    @property
    def activation(self) -> str:
        return str(self.case["activation"])

    @property
    def gated(self) -> bool:
        return self.activation in GATED

    @property
    def ffn_hidden(self) -> int:
        return self.case.integer("ffn_hidden")

    @property
    def parameters(self) -> int:
        """P: 2DF, with a gate 3DF."""
        return (3 if self.gated else 2) * self.hidden * self.ffn_hidden


def work(layer: FeedForward) -> Work:
    """2 FLOPs per parameter and token, backward 4 more; the inner vectors of a token need never reach memory."""
    matrices, passes, weights = (6, 5, 3) if layer.backward else (2, 2, 1)
    moved = passes * x_bytes(layer) + weights * layer.itemsize * layer.parameters
    return Work(float(matrices * layer.tokens * layer.parameters), float(moved))


def x_bytes(layer: FeedForward) -> int:
    """Size of x, and of the result."""
    return layer.itemsize * layer.tokens * layer.hidden


def inner_bytes(layer: FeedForward) -> int:
    """Size of all tokens' inner vectors."""
    return layer.itemsize * layer.tokens * layer.ffn_hidden


def resident_bytes(layer: FeedForward) -> int:
    """x, the parameters, and with a backward pass the gradient of the result."""
    return x_bytes(layer) * (2 if layer.backward else 1) + layer.itemsize * layer.parameters
