"""Sizes of a feed-forward layer, what it must compute and move at least, and what its variants hold. No torch.

Symbols: T tokens, D hidden, F inner size, P parameters, e bytes per element. Layers have no bias, as in Shazeer 2020.
"""

from __future__ import annotations

from functools import cache

from tbench.components.setting import Setting
from tbench.records import Work

ACTIVATIONS = ("relu", "gelu", "geglu", "swiglu")
GATED = ("geglu", "swiglu")
TOLERANCE = 0.01  # of the parameters of a matched layer
MULTIPLES = (256, 128, 64, 32, 16, 8, 4, 2, 1)  # widths that processors like, best first


def inner_size(hidden: int, activation: str, width: str) -> int:
    """F: 4 · hidden, or for gated layers with matched parameters about 8/3 · hidden. Raises ValueError."""
    if activation not in GATED or width == "same":
        return 4 * hidden
    matched = matched_width(4 * hidden)
    if matched is None:
        raise ValueError(f"no width matches the parameters of 4 · {hidden} within {TOLERANCE:.0%}")
    return matched


@cache
def matched_width(ungated: int) -> int | None:
    """F of a gated layer with as many parameters as an ungated one of width `ungated`, within 1%; None: there is none.

    3 matrices of D · F against 2 (Shazeer 2020, §2), rounded to the largest multiple that allows: a GPU's matrix units
    are for multiples of 8 in half precision (on an H100 a block with an odd width took half as long again).
    """
    for multiple in MULTIPLES:
        width = round(2 * ungated / 3 / multiple) * multiple
        if abs(3 * width - 2 * ungated) <= TOLERANCE * 2 * ungated:
            return width
    return None


LEAST_MATCHED = next(size for size in range(1, 100) if all(matched_width(4 * larger) for larger in range(size, 100)))


def parameters(hidden: int, activation: str, width: str = "matched") -> int:
    """P: 2DF, with a gate 3DF. Raises ValueError."""
    return (3 if activation in GATED else 2) * hidden * inner_size(hidden, activation, width)


class FeedForward(Setting):
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
    def inner(self) -> int:
        return inner_size(self.hidden, self.activation, str(self.case["width"]))

    @property
    def parameters(self) -> int:
        return parameters(self.hidden, self.activation, str(self.case["width"]))


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
    return layer.itemsize * layer.tokens * layer.inner


def resident_bytes(layer: FeedForward) -> int:
    """x, the parameters, and with a backward pass the gradient of the result."""
    return x_bytes(layer) * (2 if layer.backward else 1) + layer.itemsize * layer.parameters
