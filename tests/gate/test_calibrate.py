"""Trials of the gate on sides that measure nothing: what is injected is found, and a calibration goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbench.errors import CaseFailed, Interrupted, NothingSelected, StoreError, UsageError
from tbench.execution.executor import WorkerFailed
from tbench.gate.calibrate import NOISE_SHARE, Kind, TrialPlan, as_work, calibrate, carry_out, missing
from tbench.gate.calibration import Summary, Trial, read_trials
from tbench.gate.decision import Rule
from tbench.gate.options import Options
from tbench.gate.run import session_of
from tbench.gate.sides import Sides
from tbench.gate.simulation import KINDS, noise_of
from tbench.scenario import expand
from tests.gate.fakes import EQUAL, SCENARIO, FakeSide, sides_of
from tests.gate.test_calibration import trial

RULE = Rule()


def carried_out(sides: Sides, plan: TrialPlan, output: Path, rule: Rule = RULE) -> tuple[Summary, list[Trial]]:
    options = Options("scenario.yaml", device="cpu")
    return carry_out(session_of(sides, options), options, plan, output, lambda message: None, rule)


def test_what_is_injected_is_found_and_named(tmp_path: Path) -> None:
    plan = TrialPlan(same=2, injected=1, memory=1, shares=(0.03, 0.20))
    sides = sides_of(tmp_path, FakeSide(), FakeSide())
    summary, trials = carried_out(sides, plan, tmp_path / "out")
    assert len(trials) == 5
    assert (summary.false_red.hits, summary.false_red.trials) == (0, 2)
    found = {kind: (rate.hits, rate.trials) for kind, rate in summary.power.items()}
    assert found == {"+4.0 MiB": (1, 1), "+3%": (0, 1), "+20%": (1, 1)}  # 3% is tolerated
    for one in trials:
        assert len(one.pairs) == (1 if one.target else 2)
        assert bool(one.injected) == bool(one.target)
    assert summary.sigmas.keys() == {case.id for case in expand(sides.new.scenario, "cpu")}


def test_a_calibration_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    sides, output = sides_of(tmp_path, FakeSide(), FakeSide()), tmp_path / "out"
    _, first = carried_out(sides, TrialPlan(same=1), output)
    _, more = carried_out(sides, TrialPlan(same=2, memory=1), output)
    assert [one.number for one in more] == [1, 2, 3]
    assert more[0].pairs == {case: list(values) for case, values in first[0].pairs.items()}
    assert len(read_trials(output)) == 3
    with pytest.raises(StoreError, match="another rule"):
        carried_out(sides, TrialPlan(same=3), output, Rule(most=30))


def test_an_interruption_keeps_the_trials_that_have_ended(tmp_path: Path) -> None:
    prepared: list[str] = []

    def stop(kernel: str, do: str) -> None:
        prepared.append(do)
        if prepared.count("prepare") == 20:  # of the new side: 12 in a trial
            raise KeyboardInterrupt

    output = tmp_path / "out"
    with pytest.raises(Interrupted, match="1 trials are in"):
        carried_out(sides_of(tmp_path, FakeSide(), FakeSide(on=stop)), TrialPlan(same=3), output)
    assert len(read_trials(output)) == 1


def test_noise_is_injected_into_every_case(tmp_path: Path) -> None:
    summary, trials = carried_out(sides_of(tmp_path, FakeSide(), FakeSide()), TrialPlan(noisy=1), tmp_path / "out")
    assert summary.noisy.keys() == set(KINDS)
    bimodal = next(one for one in trials if one.noise == "bimodal")
    steps = {round(abs(value), 3) for values in bimodal.pairs.values() for value in values}
    assert steps == {0.0, 0.095}  # a process is 10% slower, or not


def test_without_anything_to_measure_there_is_no_calibration(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no trials"):
        calibrate(Options("scenario.yaml"), TrialPlan(), tmp_path, lambda message: None)
    cuda = SCENARIO.replace("[naive, flash]", "[varlen]")
    with pytest.raises(NothingSelected, match="none of these cases can run here"):
        carried_out(
            sides_of(tmp_path, FakeSide(), FakeSide(), base_text=cuda, new_text=cuda), TrialPlan(same=1), tmp_path
        )
    failing = FakeSide(fail={name: ("prepare", WorkerFailed("error", "crashed")) for name in EQUAL})
    with pytest.raises(CaseFailed, match="every case fails"):
        carried_out(sides_of(tmp_path, failing, FakeSide()), TrialPlan(same=1), tmp_path / "out")


def test_noise_is_done_as_so_much_work() -> None:
    shares, work = noise_of("bimodal", 4), as_work("bimodal", 4, 250, control=False)
    for _ in range(50):
        assert [one.repeats for one in next(work)] == [round(share / NOISE_SHARE * 250) for share in next(shares)]
    control = as_work("one-sided drift", 4, 250, control=True)
    assert all(base == new for base, new in (next(control) for _ in range(50)))
    wandering = as_work("one-sided drift", 4, 250, control=False)
    assert {base.repeats for base, _ in (next(wandering) for _ in range(50))} == {300}


def test_a_plan_goes_on_with_what_is_missing() -> None:
    plan = TrialPlan(same=5, injected=2, memory=1)
    every = plan.kinds()
    assert sorted(every) == sorted([Kind()] * 5 + [Kind(grows=True)] + [Kind(s) for s in (0.03, 0.1, 0.2)] * 2)
    done = [trial(1), trial(2), trial(3, 0.1, "b"), trial(4, 0.0, "b", bytes=2**22)]
    assert sorted(missing(plan, done)) == sorted([Kind()] * 3 + [Kind(0.03)] * 2 + [Kind(0.1)] + [Kind(0.2)] * 2)
    noisy = TrialPlan(noisy=2)
    assert sorted(noisy.kinds()) == sorted([Kind(noise=name) for name in KINDS] * 2)
    assert sorted(missing(noisy, [*done, trial(5, noise="drift")])) == sorted(
        [Kind(noise=name) for name in ("bimodal", "bimodal", "drift", "one-sided drift", "one-sided drift")]
    )
    assert missing(TrialPlan(), done) == []
