"""Experiments as data: pairs stay pairs, tuning stays apart, findings are complete."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest

from tbench.components.registry import Impossible
from tbench.records import Case
from tbench.scenario.axes import resolve
from tbench.training import arms
from tbench.training.arms import run_arm, run_packed, run_shift, stuck
from tbench.training.component import TRAINING
from tbench.training.corpus import text
from tbench.training.experiments import EXPERIMENTS, PACKED, SIZES, Budget
from tbench.training.pace import pace
from tbench.training.settings import Loop, Setting
from tbench.training.trial import Trial

ARMS = [(name, arm) for name, experiment in EXPERIMENTS.items() for arm in experiment.arms]


def trial(loss: float | None = 2.0, **other: object) -> Trial:
    known = {"parameters": 1, "first_loss": 6.0, "training_loss": loss, "diverged": loss is None, "seconds": 1.0}
    rest = {
        "tuning_loss": loss,
        "accuracy": 0.5,
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


@pytest.mark.parametrize("budget", ["quick", "full", "large"])
@pytest.mark.parametrize(("name", "arm"), ARMS)
def test_arms_of_a_seed_are_a_pair(name: str, arm: str, budget: str) -> None:
    experiment = EXPERIMENTS[name]
    allowed, first = experiment.budget(budget), experiment.arms[0]
    for seed in experiment.seeds(allowed, 4):
        own, other = (experiment.setting(each, allowed, 1e-3, seed) for each in (arm, first))
        assert (own.seed, own.loop, own.data) == (other.seed, other.loop, other.data)
    assert not set(experiment.seeds(allowed, 4)) & set(experiment.seeds(allowed, 5))
    assert allowed.seeds >= 2  # a rate is chosen by the other seeds


MATCHED = ("ladder", "stability", "pattern", "recall", "position")


@pytest.mark.parametrize("name", MATCHED)
@pytest.mark.parametrize("budget", ["quick", "full", "large"])
def test_arms_have_equal_parameters(name: str, budget: str) -> None:
    experiment = EXPERIMENTS[name]
    allowed = experiment.budget(budget)
    sizes = [experiment.setting(arm, allowed, 1e-3, 0).config.parameters for arm in experiment.arms]
    assert max(sizes) / min(sizes) < 1.01


def test_a_gpu_reads_4096_tokens_after_training_on_2048() -> None:
    experiment = EXPERIMENTS["position"]
    setting = experiment.setting("rope", experiment.budget("large"), 1e-3, 0)
    assert (setting.loop.length, 2.0 in setting.reach) == (2048, True)
    assert 10e6 < setting.config.parameters < 30e6


def test_steps_of_the_ladder_differ_in_one_thing() -> None:
    experiment = EXPERIMENTS["ladder"]
    arms = {arm: vars(experiment.setting(arm, experiment.budget("full"), 1e-3, 0).config) for arm in experiment.arms}
    freed = {"ffn_hidden"}  # matched parameters

    def between(one: str, other: str) -> set[str]:
        return {name for name, value in arms[one].items() if arms[other][name] != value} - freed

    assert between("2024", "-rmsnorm") == between("+rmsnorm", "+pre-norm") == {"norm"}
    assert between("2024", "-swiglu") == between("+swiglu", "+rmsnorm") == between("geglu", "-swiglu") == {"activation"}
    assert between("2024", "-gqa") == between("+gqa", "+swiglu") == between("mqa", "2024") == {"kv_heads"}
    assert between("2024", "+gqa") == between("2024", "-rope") == {"position_encoding"}
    assert between("2024", "-pre-norm") == between("+pre-norm", "2017") == {"norm_position"}


def test_a_stack_of_windows_reaches_less_far_than_recall_asks() -> None:
    experiment = EXPERIMENTS["recall"]
    distance = int(experiment.data.split(":")[1])
    for budget in (experiment.budget("quick"), experiment.budget("full")):
        config = experiment.setting("local", budget, 1e-3, 0).config
        reaches = [pattern.reach for pattern in config.patterns]
        assert sum(reach - 1 for reach in reaches if reach) < distance and None not in reaches


def test_a_run_that_learns_slowly_has_not_failed() -> None:
    """Whether a run fails must not depend on how good others of its arm are."""
    losses = {1e-3: 2.7, 3e-3: 2.0, 1e-2: None, 3e-2: 3.2, 1e-1: 3.2}
    found = run_arm("stability", "pre", "quick", seed=0, run=lambda setting, _: trial(losses[setting.loop.rate]))
    of = dict(zip(found["rates"], zip(found["diverged"], found["stuck"], found["failed"], strict=True), strict=True))
    assert of[1e-3] == of[3e-3] == (False, False, False)
    assert of[1e-2] == (True, True, True) and of[3e-2] == (False, True, True)


def test_stuck_is_no_better_than_byte_frequencies() -> None:
    assert not stuck(trial(2.9)) and stuck(trial(2.98)) and stuck(trial(None, unigram=3.0))
    assert not stuck(trial(2.98, unigram=None))


def test_runs_that_learn_nothing_have_failed_where_none_is_far_above_the_best() -> None:
    found = run_arm("stability", "post", "quick", seed=0, run=lambda setting, device: trial(3.2))
    assert not any(found["diverged"]) and all(found["stuck"]) and all(found["failed"])


def test_the_relative_shift_of_rope() -> None:
    assert run_shift("rope", 0)["change"] < 1e-4 < 0.1 < run_shift("rope-bfloat16", 0)["change"]


def test_the_pace_of_an_arm_is_against_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Setting, Setting]] = []

    def pace(own: Setting, other: Setting, data: object, device: str) -> float:
        asked.append((own, other))
        return 0.8

    monkeypatch.setattr(arms, "pace", pace)
    found = {arm: run_arm("ladder", arm, "quick", 0, run=lambda *_: trial()) for arm in ("2017", "+rmsnorm", "mqa")}
    assert (set(found["2017"]["pace"]), set(found["+rmsnorm"]["pace"]), "pace" in found["mqa"]) == ({1.0}, {0.8}, False)
    assert len(found["+rmsnorm"]["pace"]) == len(found["+rmsnorm"]["seeds"])
    assert {own.seed for own, _ in asked} == set(found["+rmsnorm"]["seeds"]) and len(asked) == 3
    own, other = asked[0]
    assert (own.config.norm, other.config.norm_position, own.seed) == ("rmsnorm", "post", other.seed)


def test_a_step_of_eight_times_the_layers_takes_longer() -> None:
    loop = Loop(steps=20, rate=1e-3, batch=4, length=16)
    sizes = SIZES.with_(hidden=32, heads=2, kv_heads=2)
    small, large = (Setting(sizes.with_(layers=layers), loop) for layers in (1, 8))
    assert pace(large, small, text("topics"), "cpu") > 1.5


def test_every_seed_is_judged_at_the_rate_of_the_others() -> None:
    best = {2001: 1e-2, 2002: 1e-2, 2003: 3e-3}  # what suits each seed by itself

    def run(setting: Setting, device: str) -> Trial:
        far = abs(math.log(setting.loop.rate / best[setting.seed]))
        return trial(3.0, tuning_loss=2.0 + 0.01 * far, parameters=7)

    found = run_arm("ladder", "2024", "quick", seed=2, run=run)
    cells = list(zip(found["seeds"], found["rates"], strict=True))
    assert len(set(cells)) == len(cells) and set(found["seeds"]) == {2001, 2002, 2003}
    picked = {seed: rate for (seed, rate), counts in zip(cells, found["chosen"], strict=True) if counts}
    assert picked == {2001: 3e-3, 2002: 3e-3, 2003: 1e-2} and found["rate"] == 1e-2
    assert found["tried_rates"] == [3e-3, 1e-2, 3e-2] and found["loss"] == 3.0 and found["parameters"] == 7
    json.dumps(found, allow_nan=False)


def test_every_cell_of_a_grid_counts() -> None:
    experiment = EXPERIMENTS["stability"]

    def run(setting: Setting, device: str) -> Trial:
        return trial(2.0 if setting.loop.rate < 1e-2 or setting.seed == 1 else 3.2)

    found = run_arm("stability", "post", "quick", seed=0, run=run)
    cells = set(zip(found["rates"], found["warmups"], strict=True))
    assert cells == {(rate, warmup) for rate in experiment.rates for warmup in (0.0, 0.1)}
    assert all(found["chosen"]) and len(found["losses"]) == len(cells) * experiment.budget("quick").seeds
    assert found["trained_cells"] == len(cells) - 6  # a cell in which half of the seeds failed has not trained


def test_findings_of_a_real_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    small = SIZES.with_(layers=1, hidden=16, heads=2, kv_heads=2, head_dim=8, ffn_hidden=40)
    budgets = {"quick": Budget(steps=5, seeds=2, sizes=small, batch=64, length=16)}
    reach = (1.25, 1.5, 2.0, 4.0)
    tried = replace(EXPERIMENTS["position"], budgets=budgets, rates=(3e-3, 1e-2), reach=reach)
    tables = replace(EXPERIMENTS["beyond-table"], budgets=budgets, rates=(3e-3, 1e-2), reach=reach)
    monkeypatch.setattr(arms, "EXPERIMENTS", {"position": tried, "beyond-table": tables})
    monkeypatch.setattr("tbench.training.rates.WIDEST", (3e-3, 1e-2))  # after five steps the best may lie anywhere
    found = run_arm("position", "rope", "quick", seed=0)
    assert {"loss_at_1", "loss_at_1.25", "loss_at_1.5", "loss_at_2", "loss_at_4"} <= found.keys()
    assert found["interpolated_at_1"] == found["loss_at_1"] and found["interpolated_at_2"] != found["loss_at_2"]
    learned = run_arm("beyond-table", "learned", "quick", seed=0)
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
    with pytest.raises(Impossible, match="stability has no arm 'rope'; it has post, pre"):
        case(experiment="stability", arm="rope")


def test_sizes_of_a_gpu_are_not_planned_on_a_cpu() -> None:
    reason = TRAINING.unsupported(case(experiment="position", arm="rope", budget="large"))
    assert reason is not None and "for a GPU" in reason
    assert TRAINING.unsupported(case(experiment="position", arm="rope", budget="quick")) is None


def test_sizes_are_those_that_are_told() -> None:
    assert SIZES.parameters == pytest.approx(131_000, rel=0.01)
