"""What a feed-forward layer holds at the peak beside its inputs: the analytic side of `peak_memory_bytes`. No torch.

I is the size of all tokens' inner vectors, X that of x, W that of one matrix of parameters. Backward, a layer peaks
either where inner vectors and their gradients are there together (many tokens) or at the end, where the gradients of
all parameters are (few tokens). A test weighs all of it in float32; oneDNN's own scratch for half precision products
is in none of it.
"""

from __future__ import annotations

from tbench.components.feedforward.formulas import FeedForward, inner_bytes, x_bytes


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
