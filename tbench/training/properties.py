"""What must hold exactly, of a model as it is built: nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tbench.model.config import ModelConfig
from tbench.model.encodings import apply_rope, rope_tables
from tbench.model.transformer import Decoder

DOCUMENT = 32  # bytes of each of the two documents
POSITIONS, HEAD_DIM, HEADS = 128, 64, 64  # of the queries and keys that are moved


@torch.no_grad()
def packed(config: ModelConfig, seed: int, length: int = DOCUMENT) -> dict[str, float]:
    """How far the logits of document B, packed after A into one sequence, are from those of B alone.

    By what is done about the packing: `nothing`; `restart`: positions count from 0 in each document; `mask`: attention
    stays inside a document; `mask+restart`. Largest absolute difference, of logits of about unit variance.
    """
    model = Decoder(config, seed)
    both = torch.randint(config.vocab, (1, 2 * length), generator=torch.Generator().manual_seed(seed))
    alone = model(both[:, length:])
    restart, documents = torch.arange(length).repeat(2), torch.arange(2).repeat_interleave(length)
    treatments = {
        "nothing": (None, None),
        "restart": (restart, None),
        "mask": (None, documents),
        "mask+restart": (restart, documents),
    }
    return {
        name: float((model(both, *treatment)[:, length:] - alone).abs().max()) for name, treatment in treatments.items()
    }


def shift_change(shifts: Sequence[int], angles: torch.dtype = torch.float64, seed: int = 0) -> float:
    """Largest change of RoPE's attention logits when every position moves by one of `shifts`, relative to the
    largest logit. q and k are random and float32, and so is everything but the angles.
    """
    q, k = torch.randn(2, HEADS, POSITIONS, HEAD_DIM, generator=torch.Generator().manual_seed(seed))

    def logits(shift: int) -> Tensor:
        tables = rope_tables(torch.arange(POSITIONS) + shift, HEAD_DIM, angles=angles)
        return apply_rope(q, *tables) @ apply_rope(k, *tables).mT / math.sqrt(HEAD_DIM)

    unmoved = logits(0)
    return max(float((logits(shift) - unmoved).abs().max() / unmoved.abs().max()) for shift in shifts)
