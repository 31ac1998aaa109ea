"""The small language model on a real GPU: what it computes there is what it computes on a CPU."""

from __future__ import annotations

import pytest
import torch

from tbench.model import ladder
from tbench.model.config import ModelConfig, matched
from tbench.model.transformer import Decoder

SMALL = matched(
    ModelConfig(layers=2, hidden=64, heads=4, kv_heads=4, head_dim=16, ffn_hidden=1, vocab=256, max_positions=64)
)
MORE = [
    SMALL.with_(position_encoding=position, pattern=pattern, kv_heads=kv_heads)
    for position, pattern, kv_heads in [
        ("alibi", "full", 4), ("alibi", "window:5", 2), ("rope", "alternating:4:2", 1), ("learned", "full", 1)
    ]
]  # fmt: skip
CONFIGS = [*ladder.models(SMALL).values(), *MORE]


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_loss_and_gradients_are_those_of_a_cpu(config: ModelConfig) -> None:
    tokens = torch.randint(256, (2, 33), generator=torch.Generator().manual_seed(0))
    losses, gradients = [], []
    for device in ("cpu", "cuda:0"):
        model, here = Decoder(config).to(device), tokens.to(device)
        logits = model(here[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), here[:, 1:].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.item())
        gradients.append(torch.cat([p.grad.flatten().cpu() for p in model.parameters() if p.grad is not None]))
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert torch.allclose(gradients[0], gradients[1], atol=1e-4)
