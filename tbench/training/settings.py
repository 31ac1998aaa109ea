"""What a training run is told. Plain data, no torch."""

from __future__ import annotations

from dataclasses import dataclass

from tbench.model.config import ModelConfig


@dataclass(frozen=True)
class Loop:
    """How a model is trained.

    `warmup`: share of the steps in which the rate rises; then it is constant until the last `decay` of the steps, in
    which it falls to a tenth in a straight line (Hu et al. 2024, "MiniCPM", §4). So two runs are at the same rate at
    the same step whatever the schedule has left, which steps to a loss need. `looks`: how often the held-out loss is
    taken on the way. Gradients are not clipped.
    """

    steps: int
    rate: float
    batch: int = 32
    length: int = 64
    warmup: float = 0.1
    decay: float = 0.2
    weight_decay: float = 0.1
    looks: int = 8

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        rising = self.warmup * self.steps
        if step < rising:
            return self.rate * (step + 1) / max(1.0, rising)
        left = (self.steps - step) / max(1.0, self.decay * self.steps)
        return self.rate * min(1.0, 0.1 + 0.9 * left)


@dataclass(frozen=True)
class Setting:
    """One run. `seed` draws the initial weights and the order of the data: runs of one seed are a pair.

    `reach`: lengths beyond the trained one, as multiples of it, where the loss is taken too, in rising order.
    `interpolate`: the loss there is also taken with RoPE's positions divided by the multiple (Chen et al. 2023, without
    their fine-tuning).
    """

    config: ModelConfig
    loop: Loop
    data: str = "topics"
    seed: int = 0
    reach: tuple[float, ...] = ()
    interpolate: bool = False
