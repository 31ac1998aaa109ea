"""One training run, from settings to figures: the same settings give the same figures on the same machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from tbench.model.encodings import BeyondTable
from tbench.model.transformer import Decoder
from tbench.training import corpus, sources
from tbench.training.settings import Setting
from tbench.training.trainer import (
    Data,
    History,
    Training,
    gradient_norms,
    judge,
    losses_by_position,
    mean_loss,
    train,
)

ROWS = 512  # held-out windows for the final figures
LONG_ROWS = 256  # and beyond the trained length, where one costs several times as much
LAST = 0.1  # share of the steps whose mean is the final training loss


@dataclass(frozen=True)
class Trial:
    """What came out. Losses in nats per byte, over the positions that count; None where there is none.

    `first_loss`, `loss`: held-out, before and after. `training_loss`: mean of the last tenth of the steps. `diverged`:
    the loss was not a number, or ended above where it began. `curve`: (steps, held-out loss, seconds of training).
    `tuning_loss`: the same on bytes that nothing is judged on, to choose a rate with. `accuracy`: share of the
    positions that count whose likeliest byte is the right one. `windows`: the mean loss of the same bytes, a quarter of
    the trained length in each of many places, by how much of the text before them the model was shown: sequences that
    end with them and are as many trained lengths long ("1": as in training). `interpolated`: the same with RoPE's
    positions pressed into the trained range. `refused`: what the model said where it could not be asked beyond its
    length. `gradient_ratio`: gradient norm of the last layer over the first's, at initialisation.
    `floor`: the smallest loss there can be, where it is known. `unigram`: that of knowing byte frequencies alone;
    `unigram_at_looks`: the same on the text of the curve.
    """

    parameters: int
    first_loss: float
    loss: float | None
    tuning_loss: float | None
    accuracy: float
    training_loss: float | None
    diverged: bool
    curve: tuple[tuple[int, float, float], ...]
    seconds: float
    seconds_per_step: float
    gradient_ratio: float
    floor: float | None
    unigram: float | None
    data: str
    windows: Mapping[str, float]
    interpolated: Mapping[str, float] = field(default_factory=dict)
    refused: str = ""
    unigram_at_looks: float | None = None


def run_trial(setting: Setting, device: str = "cpu") -> Trial:
    """Train and judge one model. Uses as many threads as torch is set to: one is best for models this small."""
    data = data_of(setting.data)
    model = Decoder(setting.config, setting.seed).to(device)
    loop = setting.loop
    first = data.batch(torch.Generator().manual_seed(setting.seed), loop.batch, loop.length)
    norms = gradient_norms(model, first, data.scored)
    looked_at = data.unseen(loop.length, 4 * loop.batch)
    history = train(Training(model, data, loop, setting.seed), looked_at)
    rows = data.unseen(loop.length, ROWS)
    final, accuracy = judge(model, rows, loop.batch, data.scored)
    tuning = mean_loss(model, data.unseen(loop.length, ROWS, tuning=True), loop.batch, data.scored)
    windows, refused = beyond(model, data, setting)
    pressed, _ = beyond(model, data, setting, interpolate=True) if setting.interpolate else ({}, "")
    return Trial(
        parameters=model.config.parameters,
        first_loss=history.curve[0][1],
        loss=final if math.isfinite(final) else None,
        tuning_loss=tuning if math.isfinite(tuning) else None,
        accuracy=accuracy,
        training_loss=ending(history),
        diverged=not final <= history.curve[0][1],  # NaN compares false
        curve=tuple(look for look in history.curve if math.isfinite(look[1])),
        seconds=history.seconds,
        seconds_per_step=history.seconds / len(history.training),
        gradient_ratio=norms[-1] / norms[0],
        floor=data.entropy,
        unigram=data.unigram if isinstance(data, corpus.Text) else None,
        unigram_at_looks=data.unigram_of(looked_at[:, 1:]) if isinstance(data, corpus.Text) else None,
        data=data.version if isinstance(data, corpus.Text) else str(data),
        windows=windows,
        interpolated=pressed,
        refused=refused,
    )


def data_of(words: str) -> Data:
    """`topics`, `library`, `markov`, `recall:DISTANCE` or `recall:DISTANCE:PAIRS`. Raises ValueError."""
    name, *numbers = words.split(":")
    if name in corpus.READERS:
        return corpus.text(name)
    if name == "markov":
        return sources.Markov()
    if name == "recall" and numbers:
        return sources.Recall(*map(int, numbers))
    raise ValueError(f"{words!r} is not a data source; write {', '.join(corpus.READERS)}, markov or recall:100")


def beyond(model: Decoder, data: Data, setting: Setting, interpolate: bool = False) -> tuple[dict[str, float], str]:
    """Losses of the last bytes of sequences of `setting.reach` trained lengths, or why there are none.

    The bytes are the same at every length: a text's own ups and downs must not look like the length's.
    """
    if not setting.reach:
        return {}, ""
    trained = setting.loop.length
    longest = data.unseen(round(setting.reach[-1] * trained), LONG_ROWS, every=trained)
    windows: dict[str, float] = {}
    for reach in (1.0, *setting.reach):
        rows = longest[:, -(round(reach * trained) + 1) :]
        try:
            losses = losses_by_position(pressed(model, reach) if interpolate else model, rows, setting.loop.batch)
        except BeyondTable as refusal:
            return windows, str(refusal)
        mean = losses[-max(1, trained // 4) :].mean().item()
        if math.isfinite(mean):
            windows[f"{reach:g}"] = mean
    return windows, ""


def pressed(model: Decoder, reach: float) -> Decoder:
    """The model with RoPE's positions pressed into the trained range."""
    if reach <= 1:
        return model
    made = Decoder(model.config.with_(rope_factor=reach)).to(model.head.device)
    made.load_state_dict(model.state_dict())
    return made


def ending(history: History) -> float | None:
    last = history.training[-max(1, round(LAST * len(history.training))) :]
    mean = sum(last) / len(last)
    return mean if math.isfinite(mean) else None
