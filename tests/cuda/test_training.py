"""The small language model on a real GPU: what it computes there is what it computes on a CPU."""

from __future__ import annotations

import pytest
import torch

from tbench.training.design import Design, ladder
from tbench.training.model import Model

SMALL = Design(layers=2, heads=4, head_dim=16, hidden=64, longest=64)
MORE = [
    SMALL.with_(kernel="flash", position=position, pattern=pattern, kv_heads=kv_heads)
    for position, pattern, kv_heads in [
        ("alibi", "full", 0), ("alibi", "window:5", 2), ("rope", "alternating:4:2", 1), ("learned", "full", 1)
    ]
]  # fmt: skip
DESIGNS = [*ladder(SMALL).values(), *MORE]


@pytest.mark.parametrize("design", DESIGNS, ids=range(len(DESIGNS)))
def test_loss_and_gradients_are_those_of_a_cpu(design: Design) -> None:
    tokens = torch.randint(256, (2, 33), generator=torch.Generator().manual_seed(0))
    losses, gradients = [], []
    for device in ("cpu", "cuda:0"):
        model, here = Model(design).to(device), tokens.to(device)
        logits = model(here[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), here[:, 1:].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.item())
        gradients.append(torch.cat([p.grad.flatten().cpu() for p in model.parameters() if p.grad is not None]))
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert torch.allclose(gradients[0], gradients[1], atol=1e-4)
