"""What a training run is told. Plain data, no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tbench.model.config import ModelConfig


@dataclass(frozen=True)
class Loop:
    """How a model is trained.

    `warmup`: share of the steps in which the rate rises. `schedule`: then `cosine` (down to a tenth) or `constant`.
    `looks`: how often the held-out loss is taken on the way. Gradients are not clipped.
    """

    steps: int
    rate: float
    batch: int = 32
    length: int = 64
    warmup: float = 0.1
    schedule: str = "cosine"
    weight_decay: float = 0.1
    looks: int = 8

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        rising = self.warmup * self.steps
        if step < rising:
            return self.rate * (step + 1) / max(1.0, rising)
        if self.schedule == "constant":
            return self.rate
        done = (step - rising) / max(1.0, self.steps - rising)
        return self.rate * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True)
class Setting:
    """One run. `seed` draws the initial weights and the order of the data: runs of one seed are a pair.

    `reach`: lengths beyond the trained one, as multiples of it, where the loss is taken too, in rising order.
    `interpolate`: RoPE's positions are divided by the multiple there (Chen et al. 2023, without their fine-tuning).
    `tuning`: the run is to choose a rate with, and judged on bytes that nothing else is judged on.
    """

    config: ModelConfig
    loop: Loop
    data: str = "topics"
    seed: int = 0
    reach: tuple[float, ...] = ()
    interpolate: bool = False
    tuning: bool = False
