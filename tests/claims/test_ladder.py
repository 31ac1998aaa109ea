"""The waterfall from made-up blocks: each step against the one before, and all against 2017."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tbench.claims import article, assess, formats
from tbench.claims.ladder import STEPS, ladders, learned, rungs
from tbench.model.ladder import DESIGNS
from tbench.records import Measurement, Memory
from tbench.training.experiments import EXPERIMENTS
from tests.claims.runs import arm, case, run_of
from tests.synthetic import attention, ok

TIMES = {"2017": 40e-3, "+pre-norm": 40e-3, "+rmsnorm": 36e-3, "+rope": 36e-3, "2024": 10e-3, "-rmsnorm": 11e-3}


def block(design: str, seconds: float, phase: str = "forward", seq_len: int = 512) -> Measurement:
    def at(name: str) -> str:
        return case("block", phase, seq_len=seq_len, design=name, kernel="flash").id

    timed = ok(attention("flash"), seconds, 1, memory=Memory(peak_bytes=round(seconds * 1e6)))
    own = case("block", phase, seq_len=seq_len, design=design, kernel="flash")
    return dataclasses.replace(timed, case=own, baseline=at("2017"), work=None)


def test_rungs_are_the_steps_in_order_without_what_leaves_one_out() -> None:
    assert rungs(list(TIMES)) == ["2017", "+pre-norm", "+rmsnorm", "+rope", "2024"]
    assert rungs(["+rmsnorm", "2024"]) == []


def test_the_steps_are_those_of_blocks_and_of_models() -> None:
    assert [name for name in DESIGNS if not name.startswith("-")] == list(STEPS)
    trained = [name for name in EXPERIMENTS["ladder"].arms if name in STEPS]
    assert trained == [name for name in STEPS if name != "+rope"]  # as a model that is 2024


def test_each_step_is_compared_with_the_one_before_and_with_2017() -> None:
    (ladder,) = ladders([run_of([block(name, seconds) for name, seconds in TIMES.items()])])
    assert [step.name for step in ladder.steps] == ["2017", "+pre-norm", "+rmsnorm", "+rope", "2024"]
    assert [step.time and step.time.value for step in ladder.steps] == [
        None, pytest.approx(1), pytest.approx(40 / 36), None, pytest.approx(3.6)  # what +rope adds to is not there
    ]  # fmt: skip
    last = ladder.steps[-1]
    assert last.total is not None and last.total.value == pytest.approx(4)
    assert last.memory == pytest.approx(4)


def test_phases_and_sizes_are_ladders_of_their_own() -> None:
    every = [block("2017", 2e-3, phase, n) for phase in ("forward", "decode") for n in (512, 2048)]
    every += [block("2024", 1e-3, phase, n) for phase in ("forward", "decode") for n in (512, 2048)]
    found = ladders([run_of(every)])
    assert [(one.phase, one.sizes) for one in found] == [
        (phase, (("device", "cpu"), ("dtype", "float32"), ("seq_len", n)))
        for phase in ("forward", "decode")
        for n in (512, 2048)
    ]
    assert len(ladders([run_of(every), run_of(every[:2])])) == len(found)


def test_losses_of_the_steps_over_shared_seeds() -> None:
    arms = {"2017": [2.0, 2.1], "+pre-norm": [1.9, 2.0], "-rope": [3.0, 3.0]}
    run = run_of([arm("ladder", name, losses) for name, losses in arms.items()])
    first, second = learned([run])
    assert (first.name, first.gain, second.name) == ("2017", None, "+pre-norm")
    assert second.gain is not None and second.gain.value == pytest.approx(0.1)
    assert learned([]) == []
    last = run_of([arm("ladder", name, losses) for name, losses in {**arms, "2024": [1.8, 1.9]}.items()])
    gain = learned([last])[-1].gain
    assert gain is not None and gain.value == pytest.approx(0.1)  # against the last step there is
    quick = run_of([arm("ladder", name, [4.0], budget="quick") for name in ("2017", "+pre-norm", "+rmsnorm")])
    assert learned([run, quick]) == learned([run])
    assert [step.loss for step in learned([quick])] == [4.0] * 3


def test_the_ladder_stands_below_the_table() -> None:
    run = run_of([block(name, seconds) for name, seconds in TIMES.items()])
    shown = formats.markdown(article(), assess(article(), [run]), "zh", [run])
    assert "## 逐步演进：预填充 (device=cpu dtype=float32 seq_len=512)" in shown
    assert "| 2024 (+flash) | 3.600× [3.600, 3.600] |" in shown
    document = json.loads(formats.json(article(), assess(article(), [run]), "en", [run]))
    assert [step["step"] for step in document["ladders"][0]["steps"]] == [
        "2017",
        "+pre-norm",
        "+rmsnorm",
        "+rope",
        "2024",
    ]
    assert document["ladders"][0]["steps"][-1]["total"] == pytest.approx(4)
