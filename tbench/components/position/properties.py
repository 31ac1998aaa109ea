"""What must hold of positions in attention, as numbers: the relative shift, and documents packed into one sequence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tbench.components.position.encodings import (
    alibi_bias,
    alibi_slopes,
    apply_rope,
    learned,
    rope_tables,
    sinusoidal_table,
)
from tbench.components.position.formulas import INTERPOLATION

HEADS, HEAD_DIM, VOCABULARY, LAYERS = 4, 16, 32, 2


def shift_change(
    shifts: Sequence[int], positions: int = 128, head_dim: int = 64, angles: torch.dtype = torch.float64, seed: int = 0
) -> float:
    """Largest change of RoPE's attention logits when every position moves by one of `shifts`, relative to the
    largest logit. q and k are random and float32, and so is everything but the angles.
    """
    q, k = torch.randn(2, 8, positions, head_dim, generator=torch.Generator().manual_seed(seed))

    def logits(shift: int) -> Tensor:
        tables = rope_tables(torch.arange(positions) + shift, head_dim, angles=angles)
        return apply_rope(q, *tables) @ apply_rope(k, *tables).mT / math.sqrt(head_dim)

    unmoved = logits(0)
    return max(float((logits(shift) - unmoved).abs().max() / unmoved.abs().max()) for shift in shifts)


def packed_change(
    encoding: str, masked: bool, restart: bool, before: int = 24, length: int = 40, seed: int = 0
) -> float:
    """Largest change of document B's logits when it is packed after document A, relative to the largest logit.

    `before`, `length`: tokens of A and of B. `masked`: B does not see A. `restart`: B's positions start at 0 again.
    The model is two layers of causal attention with random weights, in float32.
    """
    model = SmallModel(encoding, before + length, seed)
    document = torch.randint(VOCABULARY, (before + length,), generator=torch.Generator().manual_seed(seed + 1))
    place = torch.arange(before + length)
    in_b = place >= before
    causal = place[:, None] >= place
    kept = causal & (in_b[:, None] == in_b) if masked else causal
    positions = torch.where(in_b, place - before, place) if restart else place
    packed = model(document, positions, kept)[before:]
    alone = model(document[before:], place[:length], causal[:length, :length])
    return float((packed - alone).abs().max() / alone.abs().max())


class SmallModel:
    """Enough of a Transformer to see positions at work: attention only, weights from a seed."""

    def __init__(self, encoding: str, longest: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        hidden = HEADS * HEAD_DIM

        def weight(*size: int) -> Tensor:
            return torch.randn(size, generator=generator) / math.sqrt(size[-1])

        self.encoding = encoding
        self.embedding, self.table = (torch.randn(n, hidden, generator=generator) for n in (VOCABULARY, longest))
        self.layers = [(weight(3 * hidden, hidden), weight(hidden, hidden)) for _ in range(LAYERS)]
        self.head = weight(VOCABULARY, hidden)

    def __call__(self, tokens: Tensor, positions: Tensor, kept: Tensor) -> Tensor:
        """(tokens, vocabulary) logits. `kept` (tokens, tokens): which query sees which key."""
        x = self.embedding[tokens] + self.added(positions)
        bias = self.bias(positions).masked_fill(~kept, -math.inf)
        turn = self.turning(positions)
        for into, out in self.layers:
            q, k, v = F.linear(x, into).view(-1, 3, HEADS, HEAD_DIM).permute(1, 2, 0, 3)  # (heads, tokens, head_dim)
            scores = turn(q) @ turn(k).mT / math.sqrt(HEAD_DIM) + bias
            x = x + F.linear((scores.softmax(-1) @ v).transpose(0, 1).flatten(1), out)
        return F.linear(F.layer_norm(x, x.shape[-1:]), self.head)

    def added(self, positions: Tensor) -> Tensor:
        if self.encoding == "learned":
            return learned(self.table, positions)
        if self.encoding == "sinusoidal":
            return sinusoidal_table(positions, HEADS * HEAD_DIM)
        return torch.zeros(())

    def bias(self, positions: Tensor) -> Tensor:
        if self.encoding == "alibi":
            return alibi_bias(torch.tensor(alibi_slopes(HEADS)), positions, positions)
        return torch.zeros(HEADS, len(positions), len(positions))

    def turning(self, positions: Tensor) -> Callable[[Tensor], Tensor]:
        if not self.encoding.startswith("rope"):
            return lambda x: x
        factor = INTERPOLATION if self.encoding == "rope-interpolated" else 1.0
        cos, sin = rope_tables(positions, HEAD_DIM, factor=factor)
        return lambda x: apply_rope(x, cos, sin)
