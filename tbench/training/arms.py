"""Carries out one arm of an experiment: every seed with every rate that may suit, or every cell of a grid."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch

from tbench.training.experiments import EXPERIMENTS, SIZES, Budget, Experiment
from tbench.training.pace import pace
from tbench.training.properties import DOCUMENT, packed, shift_change
from tbench.training.rates import chosen, means, search
from tbench.training.settings import Setting
from tbench.training.trial import Trial, data_of, run_trial

SHIFTS = (1, 10, 100, 1000, 10_000)
ANGLES = {"rope": torch.float64, "rope-float32": torch.float32, "rope-bfloat16": torch.bfloat16}
Run = Callable[[Setting, str], Trial]
BARELY = 0.05  # nats


def run_arm(
    name: str, arm: str, budget_name: str, seed: int, device: str = "cpu", run: Run = run_trial
) -> dict[str, Any]:
    """Findings of an arm; lists have one entry for each run, in the same order.

    `seeds rates warmups`: which run. `chosen`: whether its rate is the one that the other seeds ended lowest with (see
    `rates`); in a grid all are. `rate`: the one that all seeds together ended lowest with, of `tried_rates`. `losses`:
    held-out, at the end (None: not a number); `loss` is the mean of those chosen. `diverged`: not a number, or above
    where it began; `stuck`: see there; `failed`: either, for a grid, where no arm is given the rate that suits it;
    `trained_cells`: settings of a grid with which most seeds did not fail. `loss_at_R`: mean loss of the last bytes of
    sequences of R trained lengths; with positions pressed together `interpolated_at_R`. `refused`: no run could be
    asked there. `curve_steps`, `curve_losses`: held-out loss on the way. `pace`: time of a step ÷ time of a step of the
    experiment's first arm, of the run's seed, where steps are timed.

    Raises KeyError for an experiment, arm or budget there is none of.
    """
    experiment = EXPERIMENTS[name]
    budget = experiment.budget(budget_name)
    seeds = experiment.seeds(budget, seed)
    settings: list[Setting] = []
    trials: list[Trial] = []

    def taken(setting: Setting) -> Trial:
        settings.append(setting)
        trials.append(run(setting, device))
        return trials[-1]

    if experiment.grid:
        for setting in experiment.cells(arm, budget, seeds):
            taken(setting)
        picked, rate = [True] * len(trials), None
    else:
        losses = search(
            experiment.rates, seeds, lambda own, rate: standing(taken(experiment.setting(arm, budget, rate, own)))
        )
        choice, common = chosen(losses), means(losses, seeds)
        picked = [setting.loop.rate == choice[setting.seed] for setting in settings]
        rate = min(common, key=common.__getitem__)
    return findings(experiment, settings, trials, picked, rate) | timed(experiment, arm, budget, settings, device)


def standing(trial: Trial) -> float:
    """What a rate is chosen by: the loss on bytes that nothing is judged on; infinite for a run that diverged."""
    return math.inf if trial.diverged or trial.tuning_loss is None else trial.tuning_loss


def timed(experiment: Experiment, arm: str, budget: Budget, settings: Sequence[Setting], device: str) -> dict[str, Any]:
    """The arm's pace at every run's seed, where it is asked for: the learning rate does not change it."""
    if arm not in experiment.paced:
        return {}
    first = experiment.paced[0]
    paces = dict.fromkeys((setting.seed for setting in settings), 1.0)
    for seed in paces if arm != first else ():
        own, other = (experiment.setting(one, budget, 1e-3, seed) for one in (arm, first))
        paces[seed] = pace(own, other, data_of(own.data), device)
    return {"pace": [paces[setting.seed] for setting in settings]}


def findings(
    experiment: Experiment,
    settings: Sequence[Setting],
    trials: Sequence[Trial],
    picked: Sequence[bool],
    rate: float | None,
) -> dict[str, Any]:
    """See `run_arm`."""
    lost = [trial.diverged or trial.loss is None for trial in trials]
    learned_nothing = [stuck(trial) for trial in trials]
    failed = [one or other for one, other in zip(lost, learned_nothing, strict=True)]
    cells = [(setting.loop.rate, setting.loop.warmup) for setting in settings]
    found: dict[str, Any] = {
        "loss": mean([trial.loss for trial, counts in zip(trials, picked, strict=True) if counts]),
        "parameters": trials[0].parameters,
        "data": trials[0].data,
        "steps": settings[0].loop.steps,
        "seeds": [setting.seed for setting in settings],
        "rates": [setting.loop.rate for setting in settings],
        "warmups": [setting.loop.warmup for setting in settings],
        "chosen": list(picked),
        "tried_rates": sorted({setting.loop.rate for setting in settings}),
        "stuck": learned_nothing,
        "first_losses": [trial.first_loss for trial in trials],
        "losses": [trial.loss for trial in trials],
        "tuning_losses": [trial.tuning_loss for trial in trials],
        "training_losses": [trial.training_loss for trial in trials],
        "accuracies": [trial.accuracy for trial in trials],
        "diverged": lost,
        "failed": failed,
        "gradient_ratios": [trial.gradient_ratio for trial in trials],
        "seconds": [trial.seconds for trial in trials],
        "seconds_per_step": [trial.seconds_per_step for trial in trials],
        "curve_steps": [[look[0] for look in trial.curve] for trial in trials],
        "curve_losses": [[look[1] for look in trial.curve] for trial in trials],
    }
    if rate is not None:
        found["rate"] = rate
    else:
        fell = Counter(cell for cell, one in zip(cells, failed, strict=True) if one)
        found["trained_cells"] = sum(2 * fell[cell] < count for cell, count in Counter(cells).items())
    if trials[0].unigram is not None:
        found["unigram_loss"] = trials[0].unigram
    if trials[0].unigram_at_looks is not None:
        found["unigram_at_looks"] = trials[0].unigram_at_looks
    if trials[0].floor is not None:
        found["floor"] = trials[0].floor
    for window in trials[0].windows:
        found[f"loss_at_{window}"] = [trial.windows.get(window) for trial in trials]
    for window in trials[0].interpolated:
        found[f"interpolated_at_{window}"] = [trial.interpolated.get(window) for trial in trials]
    if experiment.reach:
        found["refused"] = all(trial.refused for trial in trials)
    if trials[0].refused:
        found["refusal"] = trials[0].refused
    return found


def mean(values: Sequence[float | None]) -> float | None:
    """None if one is missing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def stuck(trial: Trial) -> bool:
    """Whether a run on text ended no better than knowing byte frequencies: nothing of their order was learned."""
    return trial.unigram is not None and (trial.loss is None or trial.loss > trial.unigram - BARELY)


def run_packed(position: str, seed: int) -> dict[str, Any]:
    """Findings of the packing property for one position encoding (claim C18): see `properties.packed`."""
    config = SIZES.with_(position_encoding=position, max_positions=2 * DOCUMENT)
    return {f"difference_{name}": difference for name, difference in packed(config, seed).items()}


def run_shift(arm: str, seed: int) -> dict[str, Any]:
    """Findings of RoPE's relative shift (claim C16): `change` of the logits when all positions move by up to 10⁴."""
    return {"change": shift_change(SHIFTS, angles=ANGLES[arm], seed=seed)}
