"""What trials add up to, and when a calibration may be used."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from tbench.cli.calibrate import lines
from tbench.errors import StoreError
from tbench.gate.calibration import (
    TRIALS,
    Known,
    Trial,
    append_trial,
    holdable,
    kind_name,
    known,
    read_trials,
    resumed,
    spreads,
    summarised,
    write_summary,
)
from tbench.gate.decision import Rule
from tests.synthetic import ENVIRONMENT

RULE = Rule()


def trial(number: int, share: float = 0.0, target: str = "", **more: object) -> Trial:
    given = {"flags": {}, "open": (), "exit_code": 0, "seconds": 8.0, "pairs": {"a": (0.01, -0.02)}}
    return Trial(number=number, share=share, target=target, **{**given, **more})  # type: ignore[arg-type]


def test_without_trials_there_is_no_summary() -> None:
    with pytest.raises(ValueError):
        summarised([], RULE)


def test_trials_add_up_to_rates() -> None:
    trials = [
        trial(1),
        trial(2, flags={"a": "SLOWER"}, exit_code=1),
        trial(3, flags={"a": "FASTER"}),
        trial(4, open=("a",), exit_code=3),
        trial(5, 0.1, "b", flags={"b": "SLOWER"}, exit_code=1),
        trial(6, 0.1, "b", flags={"b": "SLOWER", "a": "SLOWER"}, exit_code=1),
        trial(7, 0.1, "b"),
        trial(8, 0.0, "b", flags={"b": "BIGGER"}, exit_code=1, bytes=2**22),
    ]
    found = summarised(trials, RULE)
    assert (found.false_red.hits, found.false_red.trials) == (1, 4)
    assert found.false_faster.hits == found.inconclusive.hits == 1
    assert (found.power["+10%"].hits, found.power["+10%"].trials) == (2, 3)
    assert found.power["+4.0 MiB"].share == 1
    assert (found.right.hits, found.right.trials) == (2, 3)
    json.dumps(found.to_dict())


def test_a_spread_is_about_no_change_and_by_case() -> None:
    chance = random.Random(1)
    trials = [trial(n, pairs={"a": [chance.gauss(0, 0.03) for _ in range(6)], "b": [0.05]}) for n in range(200)]
    found = spreads(trials)
    assert found["a"] == pytest.approx(0.03, rel=0.1)
    assert found["b"] == pytest.approx(0.05)


def test_the_tolerance_rises_with_the_noise() -> None:
    held = [holdable([sigma], RULE) for sigma in (0.0, 0.005, 0.02, 0.05, 0.2, 2.0)]
    assert held == sorted(held)
    assert held[0] == 0.02
    assert held[-1] == 0.30


def test_names_of_kinds() -> None:
    assert [kind_name(0.0, 0), kind_name(0.1, 0), kind_name(0.0, 2**22)] == ["a/a", "+10%", "+4.0 MiB"]
    assert kind_name(0.0, 0, "drift") == "drift"


def test_injected_noise_is_counted_apart_and_lends_nothing_to_the_rest() -> None:
    quiet = [trial(1), trial(2, 0.1, "b", flags={"b": "SLOWER"}, exit_code=1)]
    noisy = [
        trial(3, noise="bimodal", pairs={"a": (0.5,)}),
        trial(4, noise="bimodal", open=("a",), exit_code=3),
        trial(5, noise="one-sided drift", flags={"a": "SLOWER"}, exit_code=1),
    ]
    alone, found = summarised(quiet, RULE), summarised([*quiet, *noisy], RULE)
    assert replace(found, noisy={}) == alone
    counted = {kind: (red.hits, unclear.hits, red.trials) for kind, (red, unclear) in found.noisy.items()}
    assert counted == {"bimodal": (0, 1, 2), "one-sided drift": (1, 0, 1)}
    assert found.to_dict()["noisy"]["bimodal"]["inconclusive"]["hits"] == 1
    assert "noisy" not in alone.to_dict()
    printed = [line for line in lines(found) if "noise" in line]
    assert len(printed) == 2
    assert "0 of 2 red" in printed[0]
    assert "1 of 2 inconclusive" in printed[0]


def test_a_trial_survives_the_disk_and_a_torn_line_does_not_matter(tmp_path: Path) -> None:
    one = trial(1, 0.1, "b", flags={"b": "SLOWER"}, injected=(0.1, math.nan))
    append_trial(tmp_path, one)
    with (tmp_path / TRIALS).open("a") as file:
        file.write('{"number": 2, "sha')
    (read,) = read_trials(tmp_path)
    assert (read.flags, read.target) == (one.flags, one.target)
    assert json.loads((tmp_path / TRIALS).read_text().splitlines()[0])["victim"] == "b"  # as in trials of earlier days
    assert math.isnan(read.injected[1])
    (tmp_path / TRIALS).write_text("[1]\n")
    with pytest.raises(StoreError, match=TRIALS):
        read_trials(tmp_path)


def test_trials_of_something_else_are_not_added_up(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert resumed(folder, {"machine": {"threads": 2}, "quick": True}) == []
    append_trial(folder, trial(1))
    with (folder / TRIALS).open("a") as file:
        file.write('{"number": 2, "sha')
    assert len(resumed(folder, {"machine": {"threads": 2}, "quick": True})) == 1
    append_trial(folder, trial(2))
    assert len(read_trials(folder)) == 2
    with pytest.raises(StoreError, match=r"another version.*another folder with -o, or remove this one"):
        resumed(folder, {"version": 2, "machine": {"threads": 2}, "quick": True})
    with pytest.raises(StoreError, match="another machine and quick"):
        resumed(folder, {"machine": {"threads": 4}, "quick": False})
    (folder / "trials.json").unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        resumed(folder, {"machine": {"threads": 2}, "quick": True})


def test_a_calibration_is_for_its_own_machine(tmp_path: Path) -> None:
    assert known(tmp_path, ENVIRONMENT, True, []) is None
    write_summary(tmp_path, summarised([trial(1)], RULE), "mine", ENVIRONMENT, RULE, quick=True)
    here = known(tmp_path, ENVIRONMENT, True, ["a"])
    assert isinstance(here, Known)
    assert here.sigmas.keys() == {"a"}
    assert here.tolerance is not None
    other = known(tmp_path, replace(ENVIRONMENT, torch="9.9"), True, ["a"])
    assert isinstance(other, str)
    assert "torch" in other
    assert "with --quick" in str(known(tmp_path, ENVIRONMENT, False, ["a"]))
    of_others = known(tmp_path, ENVIRONMENT, True, ["a", "b"])
    assert isinstance(of_others, Known)
    assert of_others.tolerance is None
    (tmp_path / "calibration.json").write_text("{}")
    assert "calibrate again" in str(known(tmp_path, ENVIRONMENT, True, ["a"]))
