"""The loop: AdamW, and a rate that rises, stays and falls; losses in nats per byte."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from tbench.model.transformer import Decoder
from tbench.training.settings import Loop

EVERYTHING = slice(None)


class Data(Protocol):
    """A text or a source: (rows, length + 1) bytes to train on, and others to judge with.

    `scored`: the targets whose loss counts. `entropy`: the smallest loss there can be, where it is known.
    """

    @property
    def scored(self) -> slice: ...

    @property
    def entropy(self) -> float | None: ...

    def batch(self, generator: torch.Generator, batch: int, length: int) -> Tensor: ...

    def unseen(self, length: int, most: int, *, tuning: bool = False, every: int = 0) -> Tensor: ...


@dataclass(frozen=True)
class History:
    """`training`: loss of every step. `curve`: (steps taken, held-out loss, seconds of training until then)."""

    training: tuple[float, ...]
    curve: tuple[tuple[int, float, float], ...]
    seconds: float


class Training:
    """A model with its optimizer and its data, step by step. The order of the data depends on `seed` and the loop's
    sizes only."""

    def __init__(self, model: Decoder, data: Data, loop: Loop, seed: int) -> None:
        self.model, self.data, self.loop = model, data, loop
        self.generator = torch.Generator().manual_seed(seed)
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=loop.rate, betas=(0.9, 0.95), weight_decay=loop.weight_decay, fused=True
        )

    def step(self, number: int) -> float:
        """Take the step `number`, counted from 0. Returns its loss; on a GPU this waits for it."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.loop.rate_at(number)
        rows = self.data.batch(self.generator, self.loop.batch, self.loop.length).to(self.model.head.device)
        loss = F.cross_entropy(*flat(self.model(rows[:, :-1]), rows[:, 1:], self.data.scored))
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        return loss.item()


def train(training: Training, judged: Tensor) -> History:
    """Train in place, with looks at `judged`, (rows, length + 1).

    Ends early where the loss is not a number. `seconds` are those of training alone, without the looks.
    """
    model, loop, scored = training.model, training.loop, training.data.scored
    look_after = {round(loop.steps * (look + 1) / loop.looks) for look in range(loop.looks)}
    losses: list[float] = []
    curve = [(0, mean_loss(model, judged, loop.batch, scored), 0.0)]
    seconds = 0.0
    for step in range(loop.steps):
        began = time.perf_counter()
        losses.append(training.step(step))
        seconds += time.perf_counter() - began
        if not math.isfinite(losses[-1]):
            break
        if step + 1 in look_after:
            curve.append((step + 1, mean_loss(model, judged, loop.batch, scored), seconds))
    return History(tuple(losses), tuple(curve), seconds)


def flat(logits: Tensor, targets: Tensor, scored: slice = EVERYTHING) -> tuple[Tensor, Tensor]:
    """(positions that count, vocabulary) and (positions that count)."""
    return logits[:, scored].flatten(0, 1), targets[:, scored].flatten()


@torch.no_grad()
def losses_by_position(model: Decoder, rows: Tensor, batch: int) -> Tensor:
    """(length), float64: the mean loss of each position over all rows, (rows, length + 1)."""
    total = torch.zeros(rows.shape[1] - 1, dtype=torch.float64)
    for part in torch.split(rows.to(model.head.device), batch):
        loss = F.cross_entropy(model(part[:, :-1]).transpose(1, 2), part[:, 1:], reduction="none")
        total += loss.sum(0, dtype=torch.float64).cpu()
    return total / len(rows)


def mean_loss(model: Decoder, rows: Tensor, batch: int, scored: slice = EVERYTHING) -> float:
    """Nats per byte over the positions that count."""
    return losses_by_position(model, rows, batch)[scored].mean().item()


@torch.no_grad()
def judge(model: Decoder, rows: Tensor, batch: int, scored: slice = EVERYTHING) -> tuple[float, float]:
    """Mean loss (nats) over the positions that count, and the share of them whose likeliest byte is the right one."""
    loss = right = 0.0
    for part in torch.split(rows.to(model.head.device), batch):
        logits, targets = flat(model(part[:, :-1]), part[:, 1:], scored)
        loss += F.cross_entropy(logits, targets, reduction="none").sum(dtype=torch.float64).item()
        right += (logits.argmax(-1) == targets).sum().item()
    count = rows[:, 1:][:, scored].numel()
    return loss / count, right / count


def gradient_norms(model: Decoder, rows: Tensor, scored: slice = EVERYTHING) -> list[float]:
    """Norm of the gradient of each layer's matrices, first layer first; the model is left as it was."""
    rows = rows.to(model.head.device)
    loss = F.cross_entropy(*flat(model(rows[:, :-1]), rows[:, 1:], scored))
    layers = [[p for p in block.parameters() if p.dim() == 2] for block in model.blocks]
    grads = iter(torch.autograd.grad(loss, [matrix for layer in layers for matrix in layer]))
    return [math.sqrt(sum(float(next(grads).square().sum()) for _ in layer)) for layer in layers]
