"""Training runs as an experiment hands them over: what a comparison of arms needs to know of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tbench.records import Measurement

INSIDE = "1"  # the window that ends at the trained length
WINDOW, INTERPOLATED = "loss_at_", "interpolated_at_"


@dataclass(frozen=True)
class Trial:
    """One training run of one arm.

    `loss`: held-out, nats per token, at the end (None: NaN or infinite); `first_loss`: before the first step. `rate`:
    the learning rate; `warmup`: share of the steps. `windows`: by the end of a window in trained lengths, the mean
    loss of its positions. `figures`: whatever else the arm's findings list with a number, or a truth (1 or 0), for each
    run, by name. `chosen`: its rate is the one that suits its arm, as judged by the other seeds. `curve`: (steps,
    held-out loss), ascending.
    """

    seed: int
    loss: float | None
    first_loss: float
    diverged: bool
    rate: float = 0.0
    warmup: float = 0.0
    windows: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    chosen: bool = True
    curve: tuple[tuple[float, float], ...] = ()

    @property
    def counted_loss(self) -> float:
        """What enters a comparison: the loss, or for a run that diverged the one it began with."""
        return self.first_loss if self.diverged or self.loss is None else self.loss

    def loss_at(self, multiple: float, interpolated: bool = False) -> float | None:
        """Nats per token of the window that ends at `multiple` times the trained length, or with positions pressed
        into it."""
        return self.figures.get(f"{INTERPOLATED}{multiple:g}") if interpolated else self.windows.get(f"{multiple:g}")

    @property
    def loss_inside(self) -> float | None:
        """Nats per token of the last window inside the trained length."""
        return self.windows.get(INSIDE)


def trials(measurement: Measurement, every: bool = False) -> list[Trial]:
    """The runs of an arm, from findings that are lists with an entry for each: `seeds`, `losses`, `first_losses`,
    `diverged`, and where there are such `rates`, `warmups`, `chosen`, `loss_at_1`, `loss_at_1.5`, … None where there
    are no runs. Of runs that differ in their rate only the chosen one counts, unless `every` one is asked for.
    """
    found: Mapping[str, Any] = measurement.findings
    if measurement.status != "ok" or "seeds" not in found or "losses" not in found:
        return []
    made = [_trial(found, i) for i in range(len(found["seeds"]))]
    return [one for one in made if one.chosen or every]


def _trial(found: Mapping[str, Any], i: int) -> Trial:
    numbers = {
        name: float(values[i])
        for name, values in found.items()
        if isinstance(values, (list, tuple)) and len(values) == len(found["seeds"]) and _number(values[i])
    }
    loss = numbers.get("losses")
    return Trial(
        seed=int(found["seeds"][i]),
        loss=loss,
        first_loss=float(found["first_losses"][i]),
        diverged=bool(found["diverged"][i]) or loss is None,
        rate=numbers.get("rates", 0.0),
        warmup=numbers.get("warmups", 0.0),
        windows={name.removeprefix(WINDOW): value for name, value in numbers.items() if name.startswith(WINDOW)},
        figures=numbers,
        chosen=bool(found["chosen"][i]) if "chosen" in found else True,
        curve=tuple(zip(found["curve_steps"][i], found["curve_losses"][i], strict=True))
        if "curve_steps" in found
        else (),
    )


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
