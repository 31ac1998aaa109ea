"""What an experiment finds is what the claims read: every arm's findings, as they are made, through every claim."""

from __future__ import annotations

import math
import random

import pytest

from tbench.claims import article, assess
from tbench.claims.verdict import Verdict
from tbench.records import Measurement
from tbench.training import arms
from tbench.training.arms import run_arm, run_packed, run_shift
from tbench.training.experiments import EXPERIMENTS, PACKED, SHIFT
from tbench.training.settings import Setting
from tbench.training.trial import Trial
from tests.claims.runs import case, run_of


def trained(setting: Setting, device: str) -> Trial:
    """A run that learns, a little better with what 2024 has, without training anything."""
    config, loop = setting.config, setting.loop
    noise = random.Random(f"{setting.seed} {loop.rate} {config}").gauss(0, 0.002)
    gain = 0.1 * (config.norm_position == "pre") + 0.1 * config.gated + 0.1 * (config.position_encoding != "none")
    end = 2.0 - gain + 0.05 * abs(math.log10(loop.rate / 1e-2)) + noise
    beyond = {"1": end, **{f"{reach:g}": end + 0.01 for reach in setting.reach}}
    return Trial(
        parameters=config.parameters,
        first_loss=6.0,
        loss=end,
        tuning_loss=end,
        accuracy=0.06 if config.pattern.startswith("window") else 0.99,
        training_loss=end,
        diverged=False,
        curve=tuple((loop.steps * part / 10, 6.0 + (end - 6.0) * part / 10, 1.0) for part in range(11)),
        seconds=1.0,
        seconds_per_step=0.1,
        gradient_ratio=1.0 + (config.norm_position == "post") + 0.01 * noise,
        floor=None,
        unigram=3.26,
        data="none",
        windows=beyond,
        interpolated=beyond if setting.interpolate else {},
    )


@pytest.mark.parametrize("budget", ["quick", "full"])
def test_every_claim_about_learning_reads_what_is_found(budget: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arms, "pace", lambda *_: 1.1)
    measured = [
        Measurement(
            case("training", experiment=name, arm=arm, budget=budget),
            "ok",
            findings=run_arm(name, arm, budget, seed=0, run=trained),
        )
        for name, experiment in EXPERIMENTS.items()
        for arm in experiment.arms
    ]
    properties = {"packed": (PACKED, run_packed), "shift": (SHIFT, run_shift)}
    for name, (names, carry_out) in properties.items():
        measured += [
            Measurement(case("training", experiment=name, arm=arm, budget=budget), "ok", findings=carry_out(arm, 0))
            for arm in names
        ]
    read = {
        (one.claim.id, result.regime.name.en): result
        for one in assess(article(), [run_of(measured)])
        for result in one.results
        if result.regime.tested.get("component") == ("training",)
    }
    for (id, name), result in read.items():
        if name == "a learned table rejects longer inputs":
            continue  # this one did not
        assert result.judged, f"{id}, {name}: {result.missing}"
    assert read["C15", "SwiGLU"].verdict is Verdict.CONFIRMED
    assert read["C11", "range of learning rates that train"].verdict is Verdict.INCONCLUSIVE  # all of them do
