"""Carries out one arm of an experiment: chooses its rate on a seed of its own, then runs the seeds that count."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch

from tbench.components.position.properties import shift_change
from tbench.training.experiments import EXPERIMENTS, SIZES
from tbench.training.pace import pace
from tbench.training.properties import DOCUMENT, packed
from tbench.training.settings import Setting
from tbench.training.trial import Trial, data_of, run_trial

SHIFTS = (1, 10, 100, 1000, 10_000)
ANGLES = {"rope": torch.float64, "rope-bfloat16": torch.bfloat16}
Run = Callable[[Setting, str], Trial]
WORSE_BY = 0.5  # nats above the arm's best run that count as diverged (claim C11)
BARELY = 0.05  # nats


def run_arm(
    name: str, arm: str, budget_name: str, seed: int, device: str = "cpu", run: Run = run_trial
) -> dict[str, Any]:
    """Findings of an arm; lists have one entry for each run that counts, in the same order.

    `seeds rates warmups`: which run. `losses`: held-out, at the end (None: not a number); `loss` is their mean.
    `diverged`, `stuck`: see there; `failed`: either, for a grid, where no arm is given the rate that suits it.
    `loss_at_R`: mean loss of the last bytes of sequences of R trained lengths. `refused`: no run could be asked there.
    `steps_to_reach`: until the held-out loss was `reached`; None for a run that never got there. `pace`: time of a step
    ÷ time of a step of the experiment's first arm. `time_to_reach`: steps × pace, so in steps of the first arm.

    Raises KeyError for an experiment, arm or budget there is none of.
    """
    experiment = EXPERIMENTS[name]
    budget = experiment.budget(budget_name)
    tried = {s.loop.rate: run(s, device) for s in experiment.tuning(arm, budget, seed)}
    rate = best_rate(tried) if tried else experiment.rates[0]
    settings = list(experiment.counting(arm, budget, rate, seed))
    trials = [run(setting, device) for setting in settings]
    lost, learned_nothing = diverged(trials), [stuck(trial) for trial in trials]
    found: dict[str, Any] = {
        "loss": mean([trial.loss for trial in trials]),
        "rate": rate,
        "parameters": trials[0].parameters,
        "data": trials[0].data,
        "seeds": [setting.seed for setting in settings],
        "rates": [setting.loop.rate for setting in settings],
        "warmups": [setting.loop.warmup for setting in settings],
        "stuck": learned_nothing,
        "tuning_rates": list(tried),
        "tuning_losses": [trial.loss for trial in tried.values()],
        "first_losses": [trial.first_loss for trial in trials],
        "losses": [trial.loss for trial in trials],
        "training_losses": [trial.training_loss for trial in trials],
        "diverged": lost,
        "failed": [one or other for one, other in zip(lost, learned_nothing, strict=True)],
        "gradient_ratios": [trial.gradient_ratio for trial in trials],
        "seconds": [trial.seconds for trial in trials],
        "seconds_per_step": [trial.seconds_per_step for trial in trials],
        "curve_steps": [[look[0] for look in trial.curve] for trial in trials],
        "curve_losses": [[look[1] for look in trial.curve] for trial in trials],
    }
    if trials[0].unigram is not None:
        found["unigram_loss"] = trials[0].unigram
    if trials[0].floor is not None:
        found["floor"] = trials[0].floor
    if budget.reached is not None:
        found["reached"] = budget.reached
        first = next(iter(experiment.arms))
        others = experiment.counting(first, budget, rate, seed)
        paces = [
            1.0 if arm == first else pace(own, other, data_of(own.data), device)
            for own, other in zip(settings, others, strict=True)
        ]
        steps = [reached(trial, budget.reached) for trial in trials]
        found["steps_to_reach"] = steps
        found["pace"] = paces
        found["time_to_reach"] = [None if taken is None else taken * p for taken, p in zip(steps, paces, strict=True)]
    for window in trials[0].windows:
        found[f"loss_at_{window}"] = [trial.windows.get(window) for trial in trials]
    if experiment.reach:
        found["refused"] = all(trial.refused for trial in trials)
    if trials[0].refused:
        found["refusal"] = trials[0].refused
    return found


def mean(values: Sequence[float | None]) -> float | None:
    """None if one is missing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def best_rate(tried: dict[float, Trial]) -> float:
    """The rate with the smallest held-out loss; runs that diverged are behind all others."""

    def standing(rate: float) -> tuple[bool, float]:
        loss = tried[rate].loss
        return tried[rate].diverged, math.inf if loss is None else loss

    return min(tried, key=standing)


def diverged(trials: Sequence[Trial]) -> list[bool]:
    """Not a number, ended above where it began, or ended more than `WORSE_BY` above the arm's best run."""
    ended = [trial.loss for trial in trials if trial.loss is not None]
    return [trial.diverged or trial.loss is None or trial.loss > min(ended) + WORSE_BY for trial in trials]


def stuck(trial: Trial) -> bool:
    """Whether a run on text ended no better than knowing byte frequencies: nothing of their order was learned."""
    return trial.unigram is not None and (trial.loss is None or trial.loss > trial.unigram - BARELY)


def reached(trial: Trial, loss: float) -> float | None:
    """Steps until the held-out loss was `loss`, between two looks in proportion; None if it never was."""
    for (steps, before, _), (then, after, _) in pairwise(trial.curve):
        if after <= loss < before:
            return steps + (before - loss) / (before - after) * (then - steps)
    return None


def run_packed(position: str, seed: int) -> dict[str, Any]:
    """Findings of the packing property for one position encoding (claim C18): see `properties.packed`."""
    config = SIZES.with_(position_encoding=position, max_positions=2 * DOCUMENT)
    return {f"difference_{name}": difference for name, difference in packed(config, seed).items()}


def run_shift(arm: str, seed: int) -> dict[str, Any]:
    """Findings of RoPE's relative shift (claim C16): `change` of the logits when all positions move by up to 10⁴."""
    return {"change": shift_change(SHIFTS, angles=ANGLES[arm], seed=seed)}
