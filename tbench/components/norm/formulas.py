"""What a norm must compute and move at least, and what its variants hold at the peak beside inputs. No torch.

Symbols: T tokens, D hidden, e bytes per element.
"""

from __future__ import annotations

from collections.abc import Mapping

from tbench.components.problem import Problem
from tbench.records import Work

# Operations per element, each sum, difference and product counted once.
FORWARD = {
    "layernorm": 7,  # sum; − mean; square, sum; · 1/σ; · weight; + bias
    "rmsnorm": 4,  # square, sum; · 1/rms; · weight
}
BACKWARD = {
    "layernorm": 13,  # gw = g·weight, sum; x̂ (2); gw·x̂, sum; dx = (gw − a − x̂·b)/σ (4); dweight (2); dbias
    "rmsnorm": 9,  # gw = g·weight; gw·x, sum; dx = gw·r − x·c (3); x̂, g·x̂, sum
}

# Bytes per element of x that a chain holds at its worst moment, in float32 and in halves: 4 for each intermediate
# matrix, less for those in halves. Statistics (one or two numbers a token) are left out; a test weighs all of these.
WRITTEN_OUT = {
    ("layernorm", "forward"): (12, 14),
    ("layernorm", "forward_backward"): (28, 26),
    ("rmsnorm", "forward"): (8, 10),
    ("rmsnorm", "forward_backward"): (24, 26),
}
CHAIN = {("rmsnorm", "forward"): (8, 12), ("rmsnorm", "forward_backward"): (24, 26)}


class Norm(Problem):
    """Sizes of one normalisation."""

    @property
    def hidden(self) -> int:
        return self.case.integer("hidden")

    @property
    def norm(self) -> str:
        return str(self.case["norm"])

    @property
    def layernorm(self) -> bool:
        return self.norm == "layernorm"

    @property
    def vectors(self) -> int:
        """Parameters, in vectors of size D: weight, and bias."""
        return 2 if self.layernorm else 1


def work(n: Norm) -> Work:
    """Forward reads x and writes the result; backward reads x and the gradient and writes x's gradient."""
    operations = FORWARD[n.norm] + (BACKWARD[n.norm] if n.backward else 0)
    passes, vectors = (5, 3 * n.vectors) if n.backward else (2, n.vectors)
    return Work(float(operations * n.tokens * n.hidden), float(passes * x_bytes(n) + vectors * n.itemsize * n.hidden))


def x_bytes(n: Norm) -> int:
    return n.itemsize * n.tokens * n.hidden


def resident_bytes(n: Norm) -> int:
    """x, the parameters, and with a backward pass the gradient of the result."""
    return x_bytes(n) * (2 if n.backward else 1) + n.vectors * n.itemsize * n.hidden


def fused(n: Norm) -> int:
    """One operation: the result, and backward x's gradient."""
    return x_bytes(n) * (2 if n.backward else 1)


def written_out(n: Norm) -> int:
    """A chain of operations, each with a result of its own, computed in float32."""
    return at_peak(n, WRITTEN_OUT)


def framework(n: Norm) -> int:
    """What F.layer_norm and F.rms_norm hold: the latter is a chain of operations, but for CUDA."""
    return fused(n) if n.layernorm or n.device != "cpu" else at_peak(n, CHAIN)


def at_peak(n: Norm, table: Mapping[tuple[str, str], tuple[int, int]]) -> int:
    return table[n.norm, n.case.phase][n.half] * n.tokens * n.hidden
