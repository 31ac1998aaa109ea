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


# ---------------------------------------------------------------------- workspace
# I is the size of all tokens' inner vectors, X that of x, W that of one matrix of parameters. Backward, a layer peaks
# either where inner vectors and their gradients are there together (many tokens) or at the end, where the gradients of
# all parameters are (few tokens). A test weighs all of it in float32; oneDNN's own scratch for half precision products
# is in none of it.


def sizes(layer: FeedForward) -> tuple[int, int, int]:
    """I, X and W."""
    return inner_bytes(layer), x_bytes(layer), layer.itemsize * layer.hidden * layer.ffn_hidden


def eager(layer: FeedForward) -> int:
    """Every operation's result is kept for the backward pass: 2 inner matrices, with a gate 4."""
    inner, x, weight = sizes(layer)
    if layer.gated:
        return max(6 * inner + x + weight, inner + 3 * x + 3 * weight) if layer.backward else 3 * inner
    return max(3 * inner + x + weight, inner + 2 * x + 2 * weight) if layer.backward else 2 * inner


def compiled(layer: FeedForward) -> int:
    """Activation and product are one operation, which writes over its input. In halves this is not so on a CPU."""
    inner, x, weight = sizes(layer)
    if layer.half and layer.device == "cpu":
        return eager(layer)
    if layer.gated:
        return max(4 * inner + x + weight, inner + 2 * x + 3 * weight) if layer.backward else 2 * inner
    kept = inner + 2 * x + 2 * weight  # ReLU keeps its result only, from which its derivative follows
    if layer.activation == "gelu":
        kept = max(2 * inner + x + weight, kept)
    return kept if layer.backward else inner + x
