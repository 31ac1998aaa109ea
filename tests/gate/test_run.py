"""Whole gates on sides that measure nothing: which cases are compared, what is saved, what an interruption leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tbench.analysis.run import Run
from tbench.comparison.model import Verdict
from tbench.errors import Interrupted, NothingSelected, StoreError, UsageError
from tbench.execution.executor import WorkerFailed
from tbench.gate import run as conductor
from tbench.gate.calibration import Known, summarised, write_summary
from tbench.gate.decision import Rule
from tbench.gate.options import Options
from tbench.gate.outcome import Decision, Measured, Result, decide, exit_code
from tbench.gate.paired import Progress
from tbench.gate.run import choose_tolerance, run, session_of
from tbench.gate.sides import Sides
from tbench.scenario import expand
from tests.gate.fakes import EQUAL, SCENARIO, FakeSide, sides_of
from tests.gate.test_calibration import trial
from tests.synthetic import ENVIRONMENT

RULE = Rule()
WRONG = WorkerFailed("wrong", "differs from the float64 reference")
CRASHED = WorkerFailed("error", "died with SIGABRT")
SLOWER = {**EQUAL, "flash": 0.0112}


def measured(sides: Sides, select: tuple[str, ...] = ()) -> Measured:
    session = session_of(sides, Options("scenario.yaml", device="cpu", select=select))
    found = session.begin()
    session.measure(found, RULE, 0, Progress())
    return found


def decided(sides: Sides, select: tuple[str, ...] = ()) -> Decision:
    return decide(measured(sides, select), RULE, sides.new.scenario)


def verdicts(decision: Decision) -> dict[str, str]:
    """By kernel."""
    return {one.case.rpartition("kernel=")[2]: one.verdict for one in decision.outcomes}


def test_every_case_has_its_verdict_and_its_line(tmp_path: Path) -> None:
    decision = decided(sides_of(tmp_path, FakeSide(), FakeSide(SLOWER)))
    assert verdicts(decision) == {"naive": "OK", "flash": "SLOWER"}
    assert decision.control is not None and decision.control.verdict == Verdict.OK
    assert exit_code(decision.outcomes) == 1
    assert {one.line for one in decision.outcomes} == {7}
    assert all(one.file.endswith("new/scenario.yaml") for one in decision.outcomes)


@pytest.mark.parametrize("failure", [WRONG, CRASHED])
def test_a_case_that_fails_now_is_broken_however_fast(tmp_path: Path, failure: WorkerFailed) -> None:
    new = FakeSide({**EQUAL, "flash": 0.001}, fail={"flash": ("finish", failure)})
    decision = decided(sides_of(tmp_path, FakeSide(), new))
    assert verdicts(decision) == {"naive": "OK", "flash": "BROKEN"}
    assert failure.reason in decision.outcomes[1].reason
    assert exit_code(decision.outcomes) == 4


def test_a_base_that_failed_is_neither_red_nor_green(tmp_path: Path) -> None:
    base = FakeSide(fail={"flash": ("prepare", CRASHED)})
    decision = decided(sides_of(tmp_path, base, FakeSide()))
    assert verdicts(decision) == {"naive": "OK", "flash": "INCONCLUSIVE"}
    assert "the base failed" in decision.outcomes[1].reason
    assert exit_code(decision.outcomes) == 3


def test_where_the_first_case_fails_in_the_base_another_is_the_control(tmp_path: Path) -> None:
    found = measured(sides_of(tmp_path, FakeSide(fail={"naive": ("prepare", CRASHED)}), FakeSide()))
    assert found.control is not None
    assert found.control.case["kernel"] == "flash"
    assert found.control.compared


def test_where_every_case_fails_nothing_is_measured_to_the_end(tmp_path: Path) -> None:
    failing = dict.fromkeys(EQUAL, ("prepare", CRASHED))
    found = measured(sides_of(tmp_path, FakeSide(), FakeSide(fail=failing)))
    assert [one.pairs for one in found.all_pairs] == [1, 1, 1]


def test_cases_of_one_side_only_are_named_and_tried(tmp_path: Path) -> None:
    longer = SCENARIO.replace("[64]", "[32]").replace("[naive, flash]", "[flash]")
    sides = sides_of(tmp_path, FakeSide(), FakeSide(), new_text=longer)
    added, *missing = decided(sides).outcomes
    assert (added.verdict, added.pairs) == (Verdict.ADDED, 1)
    assert added.new_seconds == pytest.approx(0.01)
    assert "seq_len=32" in added.case
    assert [one.verdict for one in missing] == [Verdict.MISSING] * 2
    broken = sides_of(tmp_path, FakeSide(), FakeSide(fail={"flash": ("finish", WRONG)}), new_text=longer)
    assert decided(broken).outcomes[0].verdict == Verdict.BROKEN


def test_a_gpu_for_one_process_at_a_time_is_refused_with_the_remedy(tmp_path: Path) -> None:
    sides = sides_of(tmp_path, FakeSide(), FakeSide())
    sides = replace(sides, new=replace(sides.new, environment=replace(ENVIRONMENT, compute_mode="exclusive process")))
    with pytest.raises(UsageError, match="nvidia-smi -c 0, or compare with a stored baseline"):
        session_of(sides, Options("scenario.yaml", device="cpu"))


def test_a_selection_may_leave_nothing_of_the_base(tmp_path: Path) -> None:
    sides = sides_of(tmp_path, FakeSide(), FakeSide(), base_text=SCENARIO.replace(", flash", ""))
    decision = decided(sides, ("kernel=flash",))
    assert verdicts(decision) == {"flash": "ADDED"}


def test_what_cannot_run_anywhere_is_no_pass(tmp_path: Path) -> None:
    cuda = SCENARIO.replace("[naive, flash]", "[varlen]")
    decision = decided(sides_of(tmp_path, FakeSide(), FakeSide(), base_text=cuda, new_text=cuda))
    assert verdicts(decision) == {"varlen": "SKIPPED"}
    assert decision.control is None
    assert exit_code(decision.outcomes) == 3


def test_experiments_are_not_for_the_gate(tmp_path: Path) -> None:
    counting = "version: 1\nname: counting\ncomponent: kv\nmodel: llama-3-8b\nsweep: {seq_len: [2048]}\n"
    with pytest.raises(NothingSelected, match="not for experiments"):
        measured(sides_of(tmp_path, FakeSide(), FakeSide(), base_text=counting, new_text=counting))


def test_a_python_of_each_side_is_asked_what_it_can_run(tmp_path: Path) -> None:
    reasons = [None, "needs a compiler"]
    base, new = FakeSide(answers={"unsupported": reasons}), FakeSide(answers={"unsupported": reasons})
    sides = replace(sides_of(tmp_path, base, new), one_python=False)
    assert verdicts(decided(sides)) == {"naive": "OK", "flash": "SKIPPED"}
    only_base = replace(sides, new=replace(sides.new, executor=FakeSide(answers={"unsupported": [None, None]})))
    assert verdicts(decided(only_base)) == {"naive": "OK", "flash": "OK"}  # to be tried where one of them can


def test_the_tolerance_is_the_one_that_was_asked_for_or_that_the_machine_needs(tmp_path: Path) -> None:
    said: list[str] = []
    noisy, quiet, other = (Known({}, tolerance, tmp_path) for tolerance in (0.08, 0.02, None))
    assert choose_tolerance(RULE, 0.03, noisy, said.append).tolerance == 0.03
    assert choose_tolerance(RULE, None, quiet, said.append) == RULE
    assert choose_tolerance(RULE, None, other, said.append) == choose_tolerance(RULE, None, None, said.append) == RULE
    assert said == []
    assert choose_tolerance(RULE, None, noisy, said.append).effect == 0.16
    assert "tolerance 8%" in said[0]


# ---------------------------------------------------------------------- what is saved


def gate(sides: Sides, output: Path, monkeypatch: pytest.MonkeyPatch, *said: list[str]) -> Result:
    """`run` on these sides."""

    @contextmanager
    def opened(options: Options) -> Iterator[Sides]:
        yield sides

    monkeypatch.chdir(output.parent)
    monkeypatch.setattr(conductor, "open_sides", opened)
    return run(Options("scenario.yaml", against="HEAD", seed=3), output, Progress(*(one.append for one in said)))


def test_both_sides_and_the_result_are_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    output = tmp_path / "out"
    result = gate(sides_of(tmp_path, FakeSide(), FakeSide(SLOWER)), output, monkeypatch, said)
    assert result.exit_code == 1
    assert "note: the same code on both sides, so only the machine's noise can differ: flash, naive" in said
    saved = json.loads((output / "gate.json").read_text())
    assert saved["result"]["exit_code"] == 1
    assert [one["verdict"] for one in saved["result"]["outcomes"]] == ["OK", "SLOWER"]
    assert [one["case"].split("=")[-1] for one in saved["pairs"]] == ["naive", "flash", "A/A control"]
    assert [len(one["screen"]) for one in saved["pairs"]] == [6, 6, 6]
    assert [len(one["confirm"]) for one in saved["pairs"]] == [0, 12, 0]
    assert len(saved["control"]) == 2
    assert "**Regression.**" in (output / "gate.md").read_text()
    for side in ("base", "new"):
        kept = Run.read(output / side)
        assert (kept.header["status"], kept.header["side"], kept.header["seed"]) == ("complete", side, 3)
        assert [row.case["kernel"] for row in kept.measurements] == ["naive", "flash"]
    with pytest.raises(StoreError, match="already holds a gate result"):
        gate(sides_of(tmp_path, FakeSide(), FakeSide()), output, monkeypatch)


def test_a_calibration_of_this_machine_lends_its_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "results" / "calibration" / "mine"
    folder.mkdir(parents=True)
    sides = sides_of(tmp_path, FakeSide(), FakeSide())
    first, second = (case.id for case in expand(sides.new.scenario, "cpu"))
    calibrated = summarised([trial(1, pairs={first: (0.03, -0.03), second: (0.001,)})], RULE)
    write_summary(folder, calibrated, "mine", ENVIRONMENT, RULE, quick=False)
    gate(sides, tmp_path / "out", monkeypatch)
    saved = json.loads((tmp_path / "out" / "gate.json").read_text())
    assert [one["sigma"] for one in saved["pairs"]] == pytest.approx([0.03, 0.001, 0.03])


def test_an_interruption_leaves_what_was_measured_and_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    def stop(kernel: str, do: str) -> None:
        taken.append(do)
        if taken.count("turn") == 9:  # of the new side: the third pair of the first case
            raise KeyboardInterrupt

    output = tmp_path / "out"
    with pytest.raises(Interrupted, match="what was measured is in"):
        gate(sides_of(tmp_path, FakeSide(), FakeSide(on=stop)), output, monkeypatch)
    saved = json.loads((output / "gate.json").read_text())
    assert saved["result"] is None
    assert [len(one["screen"]) for one in saved["pairs"]] == [2, 2, 2]
    assert not (output / "gate.md").exists()
    for side in ("base", "new"):
        assert Run.read(output / side).header["status"] == "interrupted"
