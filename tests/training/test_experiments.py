"""Experiments as data: pairs stay pairs, tuning stays apart, findings are complete."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from tbench.components.registry import Impossible
from tbench.records import Case
from tbench.scenario.axes import resolve
from tbench.training import arms
from tbench.training.arms import best_rate, diverged, reached, run_arm, run_packed, run_shift, stuck
from tbench.training.component import TRAINING
from tbench.training.corpus import text
from tbench.training.experiments import EXPERIMENTS, PACKED, SIZES
from tbench.training.pace import pace
from tbench.training.settings import Loop, Setting
from tbench.training.trial import Trial

ARMS = [(name, arm) for name, experiment in EXPERIMENTS.items() for arm in experiment.arms]


def trial(loss: float | None = 2.0, **other: object) -> Trial:
    known = {"parameters": 1, "first_loss": 6.0, "training_loss": loss, "diverged": loss is None, "seconds": 1.0}
    rest = {
        "seconds_per_step": 0.1,
        "gradient_ratio": 1.0,
        "floor": None,
        "unigram": 3.0,
        "data": "none",
        "windows": {},
    }
    curve = ((0, 6.0, 0.0), (10, 4.0, 1.0), (20, 2.0, 3.0))
    return replace(Trial(loss=loss, curve=curve, **known, **rest), **other)  # type: ignore[arg-type]


def test_experiments_are_data_without_torch() -> None:
    code = "import sys; import tbench.training.experiments; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("budget", ["quick", "full"])
@pytest.mark.parametrize(("name", "arm"), ARMS)
def test_arms_of_a_seed_are_a_pair(name: str, arm: str, budget: str) -> None:
    experiment = EXPERIMENTS[name]
    allowed = experiment.budget(budget)
    first = next(iter(experiment.arms))
    own, other = (list(experiment.counting(each, allowed, 1e-3, seed=4)) for each in (arm, first))
    assert [(s.seed, s.loop, s.data) for s in own] == [(s.seed, s.loop, s.data) for s in other]
    tuning = list(experiment.tuning(arm, allowed, seed=4))
    assert not {s.seed for s in tuning} & {s.seed for s in own}
    assert not tuning or len({s.loop.rate for s in tuning}) >= 3
    assert not {s.seed for s in own} & {s.seed for s in experiment.counting(arm, allowed, 1e-3, seed=5)}


MATCHED = ("activation", "norm", "stability", "convergence", "convergence-equal", "pattern", "recall", "ladder")


@pytest.mark.parametrize("name", MATCHED)
@pytest.mark.parametrize("budget", ["quick", "full"])
def test_arms_have_equal_parameters(name: str, budget: str) -> None:
    experiment = EXPERIMENTS[name]
    sizes = [
        experiment.setting(arm, experiment.budget(budget), 1e-3, 0).config.parameters
        for arm in experiment.arms
        if arm != "swiglu-unmatched"
    ]
    assert max(sizes) / min(sizes) < 1.01


def test_a_stack_of_windows_reaches_less_far_than_recall_asks() -> None:
    experiment = EXPERIMENTS["recall"]
    distance = int(experiment.data.split(":")[1])
    for budget in (experiment.quick, experiment.full):
        config = experiment.setting("local", budget, 1e-3, 0).config
        reaches = [pattern.reach for pattern in config.patterns]
        assert sum(reach - 1 for reach in reaches if reach) < distance and None not in reaches


def test_the_best_rate_wins_and_a_diverged_one_never() -> None:
    tried = {1e-3: trial(2.5), 3e-3: trial(2.2), 1e-2: trial(1.0, diverged=True), 3e-2: trial(None)}
    assert best_rate(tried) == 3e-3


def test_diverged_against_the_best_of_the_arm() -> None:
    assert diverged([trial(2.0), trial(2.4), trial(2.6), trial(None), trial(1.9, diverged=True)]) == [
        *[False, False, True, True, True]
    ]


def test_stuck_is_no_better_than_byte_frequencies() -> None:
    assert not stuck(trial(2.9)) and stuck(trial(2.98)) and stuck(trial(None, unigram=3.0))
    assert not stuck(trial(2.98, unigram=None))


def test_runs_that_learn_nothing_have_failed_where_none_is_far_above_the_best() -> None:
    found = run_arm("stability", "post", "quick", seed=0, run=lambda setting, device: trial(3.2))
    assert not any(found["diverged"]) and all(found["stuck"]) and all(found["failed"])


def test_the_relative_shift_of_rope() -> None:
    assert run_shift("rope", 0)["change"] < 1e-4 < 0.1 < run_shift("rope-bfloat16", 0)["change"]


def test_steps_to_a_loss() -> None:
    assert reached(trial(), 3.0) == 15
    assert reached(trial(), 1.0) is None


def test_time_to_a_loss_is_steps_at_the_arms_own_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Setting, Setting]] = []

    def pace(own: Setting, other: Setting, data: object, device: str) -> float:
        asked.append((own, other))
        return 0.8

    monkeypatch.setattr(arms, "pace", pace)
    losses = {"post-layernorm": 2.0, "pre-rmsnorm": 2.2}  # 2.3 is reached on the way down from 4
    found = {
        arm: run_arm("convergence", arm, "quick", 0, run=lambda *_, at=at: trial(at)) for arm, at in losses.items()
    }
    assert found["post-layernorm"]["pace"] == [1.0] * 3
    steps, own = found["pre-rmsnorm"]["steps_to_reach"], found["pre-rmsnorm"]["time_to_reach"]
    assert own == pytest.approx([0.8 * taken for taken in steps])
    experiment = EXPERIMENTS["convergence"]
    assert {(a.config, b.config) for a, b in asked} == {
        tuple(experiment.arms[arm].with_(layers=2) for arm in ("pre-rmsnorm", "post-layernorm"))
    }
    assert all(a.seed == b.seed for a, b in asked) and len(asked) == 3


def test_a_step_of_eight_times_the_layers_takes_longer() -> None:
    loop = Loop(steps=20, rate=1e-3, batch=4, length=16)
    sizes = SIZES.with_(hidden=32, heads=2, kv_heads=2)
    small, large = (Setting(sizes.with_(layers=layers), loop) for layers in (1, 8))
    assert pace(large, small, text("topics"), "cpu") > 1.5


def test_an_arm_is_tuned_apart_and_run_at_its_best_rate() -> None:
    asked: list[Setting] = []

    def run(setting: Setting, device: str) -> Trial:
        asked.append(setting)
        return trial(2.0 + abs(setting.loop.rate - 1e-2), parameters=7)

    found = run_arm("activation", "relu", "quick", seed=2, run=run)
    assert [s.loop.rate for s in asked] == [3e-3, 1e-2, 3e-2, 1e-2, 1e-2, 1e-2]
    assert [s.seed for s in asked] == [2000, 2000, 2000, 2001, 2002, 2003]
    assert [s.tuning for s in asked] == [True] * 3 + [False] * 3
    assert found["seeds"] == [2001, 2002, 2003] and found["losses"] == [2.0] * 3 and found["parameters"] == 7
    assert found["tuning_rates"] == [3e-3, 1e-2, 3e-2] and found["stuck"] == [False] * 3
    json.dumps(found, allow_nan=False)


def test_every_cell_of_a_grid_counts() -> None:
    experiment = EXPERIMENTS["stability"]
    found = run_arm("stability", "post", "quick", seed=0, run=lambda setting, device: trial(2.0))
    cells = set(zip(found["rates"], found["warmups"], strict=True))
    assert cells == {(rate, warmup) for rate in experiment.rates for warmup in (0.0, 0.1)}
    assert (
        found["tuning_rates"] == []
        and not any(found["diverged"])
        and len(found["diverged"]) == len(cells) * experiment.quick.seeds
    )


def test_findings_of_a_real_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {
        name: config.with_(layers=1, hidden=16, heads=2, kv_heads=2, head_dim=8)
        for name, config in EXPERIMENTS["position"].arms.items()
    }
    quick = replace(EXPERIMENTS["position"].quick, steps=5, batch=2, length=16)
    monkeypatch.setattr(arms, "EXPERIMENTS", {"position": replace(EXPERIMENTS["position"], arms=small, quick=quick)})
    found = run_arm("position", "rope", "quick", seed=0)
    assert {"loss_at_1", "loss_at_1.25", "loss_at_1.5", "loss_at_2", "loss_at_4"} <= found.keys()
    learned = run_arm("position", "learned", "quick", seed=0)
    assert "learned for 16 positions" in learned["refusal"] and "loss_at_1.25" not in learned
    assert (found["refused"], learned["refused"]) == (False, True)
    json.dumps([found, learned], allow_nan=False)


@pytest.mark.parametrize("position", PACKED)
def test_packing_has_a_finding_for_every_treatment(position: str) -> None:
    found = run_packed(position, seed=0)
    assert list(found) == [f"difference_{how}" for how in ("nothing", "restart", "mask", "mask+restart")]
    assert found["difference_mask+restart"] < 1e-5


def case(**axes: str) -> Case:
    return Case("training", "train", "cpu", "float32", tuple(resolve(TRAINING, axes).items()))


def test_a_case_is_an_arm() -> None:
    packing = case(experiment="packed", arm="rope")
    assert packing.id == "training/train device=cpu dtype=float32 experiment=packed arm=rope budget=full"
    assert TRAINING.unsupported(packing) is None
    assert TRAINING.variant_of(packing).factory(packing, 0) == run_packed("rope", 0)
    assert set(TRAINING.variants) == {*EXPERIMENTS, "packed", "shift"}


def test_an_arm_of_another_experiment_is_refused() -> None:
    with pytest.raises(Impossible, match="norm has no arm 'relu'; it has layernorm, rmsnorm"):
        case(experiment="norm", arm="relu")


def test_sizes_are_those_of_the_pilot() -> None:
    assert SIZES.parameters == pytest.approx(230_000, rel=0.01)
