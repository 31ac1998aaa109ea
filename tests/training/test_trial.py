"""Runs of a few steps: they repeat exactly, learn what there is to learn, and say when they fail."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from tbench.model.config import ModelConfig, matched
from tbench.model.transformer import Decoder
from tbench.training.properties import packed
from tbench.training.settings import Loop, Setting
from tbench.training.sources import Markov, Recall
from tbench.training.trainer import gradient_norms, losses_by_position
from tbench.training.trial import Trial, data_of, run_trial

TINY = matched(ModelConfig(hidden=16, heads=2, kv_heads=2, head_dim=8, ffn_hidden=1))
SMALL = matched(ModelConfig(layers=2, hidden=32, heads=2, kv_heads=2, head_dim=16, ffn_hidden=1))
SHORT = Setting(TINY, Loop(steps=10, rate=3e-3, batch=4, length=16, looks=2))


@pytest.fixture
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """For runs that are not asked how well they learn: to judge them would take longer than to train them."""
    monkeypatch.setattr("tbench.training.trial.ROWS", 64)
    monkeypatch.setattr("tbench.training.trial.LONG_ROWS", 32)


def without_times(trial: Trial) -> Trial:
    curve = tuple((steps, loss, 0.0) for steps, loss, _ in trial.curve)
    return replace(trial, curve=curve, seconds=0.0, seconds_per_step=0.0)


@pytest.mark.usefixtures("few_rows")
def test_a_trial_repeats_exactly() -> None:
    one, two, other = (run_trial(replace(SHORT, seed=seed)) for seed in (1, 1, 2))
    assert without_times(one) == without_times(two)
    assert one.loss != other.loss
    assert [steps for steps, _, _ in one.curve] == [0, 5, 10]
    assert one.seconds > 0 and one.gradient_ratio == 1.0  # a single layer


def test_text_is_learned() -> None:
    trial = run_trial(Setting(TINY, Loop(steps=60, rate=1e-2, batch=8, length=32, looks=2)))
    assert trial.loss is not None and trial.loss < 3.5 < math.log(256) < trial.first_loss
    assert not trial.diverged and trial.data.startswith("Python 3.")
    assert trial.tuning_loss is not None and trial.tuning_loss != trial.loss  # other bytes, as hard
    assert trial.tuning_loss == pytest.approx(trial.loss, abs=0.3)


def test_a_markov_source_is_learned_to_its_entropy_and_no_further() -> None:
    trial = run_trial(Setting(SMALL, Loop(steps=300, rate=1e-2, batch=16, length=32, looks=1), data="markov"))
    assert trial.floor == pytest.approx(Markov().entropy)
    assert trial.loss is not None
    assert trial.floor * 0.98 < trial.loss < trial.floor + 0.15


@pytest.mark.parametrize(("pattern", "remembers"), [("full", True), ("alternating:4:2", True), ("window:4", False)])
def test_recall_beyond_the_windows_needs_a_full_layer(pattern: str, remembers: bool) -> None:
    config = SMALL.with_(position_encoding="none", pattern=pattern)
    trial = run_trial(Setting(config, Loop(steps=150, rate=1e-2, batch=32, length=24, looks=1), data="recall:20"))
    guess = Recall(20).guess
    assert trial.loss is not None
    assert trial.loss < 0.1 * guess if remembers else trial.loss > 0.95 * guess
    assert trial.accuracy > 0.99 if remembers else trial.accuracy < 0.2  # one in sixteen by guessing


@pytest.mark.usefixtures("few_rows")
def test_an_absurd_rate_diverges_and_says_so() -> None:
    loop = replace(SHORT.loop, steps=30, rate=1e3, warmup=0.0)
    trial = run_trial(Setting(TINY.with_(norm_position="post"), loop))
    assert trial.diverged
    assert not run_trial(SHORT).diverged


@pytest.mark.usefixtures("few_rows")
def test_a_run_ends_where_the_loss_is_not_a_number() -> None:
    trial = run_trial(replace(SHORT, loop=replace(SHORT.loop, rate=float("inf"), warmup=0.0)))
    assert trial.diverged and trial.loss is None and trial.training_loss is None
    assert all(math.isfinite(loss) for _, loss, _ in trial.curve)


def test_losses_by_position_do_not_depend_on_the_batch() -> None:
    model, rows = Decoder(TINY), Markov().unseen(16, 12)
    one, two = (losses_by_position(model, rows, batch) for batch in (12, 5))
    assert one.shape == (16,) and torch.allclose(one, two, rtol=1e-5)


@pytest.mark.usefixtures("few_rows")
def test_loss_beyond_the_trained_length_by_window() -> None:
    trial = run_trial(replace(SHORT, reach=(1.25, 2.0)))
    assert list(trial.windows) == ["1", "1.25", "2"] and trial.refused == ""
    learned = run_trial(
        replace(SHORT, reach=(1.25, 2.0), config=TINY.with_(position_encoding="learned", max_positions=16))
    )
    assert list(learned.windows) == ["1"] and "learned for 16 positions" in learned.refused


@pytest.mark.usefixtures("few_rows")
def test_every_length_is_judged_on_the_same_bytes() -> None:
    """A model that sees nothing but the byte before cannot tell how long the sequence is."""
    blind = TINY.with_(pattern="window:1", position_encoding="none")
    windows = run_trial(replace(SHORT, reach=(1.5, 4.0), config=blind)).windows
    assert windows["1.5"] == pytest.approx(windows["1"], rel=1e-6) == pytest.approx(windows["4"], rel=1e-6)


@pytest.mark.usefixtures("few_rows")
def test_interpolation_is_the_same_model_inside_and_another_beyond() -> None:
    trial = run_trial(replace(SHORT, reach=(2.0,), interpolate=True))
    assert trial.windows["1"] == trial.interpolated["1"] and trial.windows["2"] != trial.interpolated["2"]
    assert not run_trial(replace(SHORT, reach=(2.0,))).interpolated


@pytest.mark.parametrize("warmup", [0.0, 0.1])
def test_rates_rise_stay_and_fall(warmup: float) -> None:
    loop = Loop(steps=100, rate=1.0, warmup=warmup)
    rates = [loop.rate_at(step) for step in range(100)]
    assert rates.index(1.0) == max(0, round(100 * warmup) - 1)
    assert set(rates[round(100 * warmup) : 80]) == {1.0}
    assert rates[80:] == sorted(rates[80:], reverse=True) and rates[-1] == pytest.approx(0.145)


def test_the_rate_at_a_step_does_not_depend_on_how_it_ends() -> None:
    short, long = (Loop(steps=steps, rate=1.0, warmup=0.0) for steps in (100, 1000))
    assert [short.rate_at(step) for step in range(80)] == [long.rate_at(step) for step in range(80)]


def test_gradient_norms_leave_the_model_alone() -> None:
    model, rows = Decoder(TINY.with_(layers=3)), Markov().unseen(16, 4)
    norms = gradient_norms(model, rows)
    assert len(norms) == 3 and all(norm > 0 for norm in norms)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("position", ["none", "rope", "alibi", "sinusoidal", "learned"])
def test_a_packed_document_is_the_document_alone(position: str) -> None:
    found = packed(SMALL.with_(position_encoding=position, max_positions=64), seed=3)
    absolute = position in ("sinusoidal", "learned")
    assert found["mask+restart"] < 1e-5
    assert (found["mask"] < 1e-5) != absolute  # relative positions do not change when all are shifted
    assert found["nothing"] > 0.01 and found["restart"] > 0.01


@pytest.mark.parametrize("words", ["wikipedia", "copy", "recall", "recall:far"])
def test_unknown_data_is_refused(words: str) -> None:
    with pytest.raises(ValueError):
        data_of(words)
