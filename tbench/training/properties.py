"""What must hold exactly, of a model as it is built: nothing is trained."""

from __future__ import annotations

import torch

from tbench.model.config import ModelConfig
from tbench.model.transformer import Decoder

DOCUMENT = 32  # bytes of each of the two documents


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
