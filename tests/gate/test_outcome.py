"""From what was measured to outcomes: the steps that may overrule a verdict, source locations, the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbench.comparison.model import Verdict
from tbench.gate.decision import Rule
from tbench.gate.outcome import (
    CONTROL_FAILED,
    Measured,
    Outcome,
    decide,
    exit_code,
    overruled,
    source_location,
    with_source_location,
    without_edited,
    without_times,
)
from tbench.gate.paired import PairedCase, Progress, measure_pairs, sampling_of
from tbench.records import Sampling
from tbench.scenario import Scenario, expand, load
from tests.execution.fakes import FakeExecutor, case, draft

RULE = Rule()
CASE = case("a").id
OTHER = Scenario(
    "other", "", "canary", {"dtype": "float32"}, {"kernel": ("copy",), "size": (1024,)}
)  # has none of the cases


def outcome(verdict: str, **more: object) -> Outcome:
    return Outcome(CASE, Verdict(verdict), **more)  # type: ignore[arg-type]


def measured(base: float, new: float, control: float = 0.01) -> Measured:
    """A case that takes so many seconds on either side, and a control: 10 ms, and `control` seconds on its new side."""
    one = case("a")

    def pair(name: str, first: float, second: float, is_control: bool = False) -> PairedCase:
        sides = ((draft(one), FakeExecutor({"a": seconds})) for seconds in (first, second))
        return PairedCase(name, *sides, sampling_of(Sampling()), control=is_control)

    pairs, itself = [pair(one.id, base, new)], pair("A/A control", 0.01, control, True)
    measure_pairs([*pairs, itself], RULE, 0, Progress())
    return Measured(pairs, itself, [one])


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 3),
        (["SKIPPED", "SKIPPED"], 3),
        (["ADDED"], 0),
        (["OK", "FASTER", "ADDED", "SKIPPED"], 0),
        (["OK", "INCONCLUSIVE"], 3),
        (["MISSING"], 3),
        (["SLOWER", "INCONCLUSIVE"], 1),
        (["BIGGER"], 1),
        (["BROKEN", "SLOWER", "INCONCLUSIVE"], 4),
    ],
)
def test_the_exit_code_is_that_of_the_worst(verdicts: list[str], code: int) -> None:
    assert exit_code(outcome(one) for one in verdicts) == code


def test_a_control_that_passes_leaves_every_verdict() -> None:
    (slower,), control = decide(measured(0.01, 0.0112), RULE, OTHER)
    assert slower.verdict == Verdict.SLOWER
    assert "more than 5.0% slower, confirmed in 12 fresh pairs" in slower.reason
    assert control is not None and control.verdict == Verdict.OK


@pytest.mark.parametrize("new", [0.01, 0.0112, 0.009])
@pytest.mark.parametrize("control", [0.0112, 0.009])
def test_where_the_base_differs_from_itself_no_time_is_trusted(new: float, control: float) -> None:
    (one,), failed = decide(measured(0.01, new, control), RULE, OTHER)
    assert failed is not None and failed.verdict in (Verdict.SLOWER, Verdict.FASTER)
    assert (one.verdict, one.reason) == (Verdict.INCONCLUSIVE, CONTROL_FAILED)


def test_a_case_that_was_edited_while_it_was_measured_is_open() -> None:
    (one,), _ = decide(measured(0.01, 0.0112), RULE, OTHER, {CASE: Path("kernels.py")})
    assert one.verdict == Verdict.INCONCLUSIVE
    assert "kernels.py was edited" in one.reason
    assert one.ratio is not None  # what was measured is still shown


@pytest.mark.parametrize("verdict", ["OK", "SLOWER", "BROKEN", "ADDED"])
def test_an_edit_opens_what_was_measured(verdict: str) -> None:
    step = without_edited({CASE: Path("helper.py")})
    other = Outcome("another", Verdict.SLOWER, "why")
    assert step(outcome(verdict)).verdict == Verdict.INCONCLUSIVE
    assert step(other) == other


@pytest.mark.parametrize("verdict", ["SKIPPED", "MISSING"])
def test_an_edit_changes_nothing_of_what_was_not_measured(verdict: str) -> None:
    assert without_edited({CASE: Path("helper.py")})(outcome(verdict)).verdict == verdict


def test_what_was_not_sampled_stands_where_times_cannot_be_trusted() -> None:
    assert without_times(outcome("SLOWER"), "noisy").verdict == "INCONCLUSIVE"
    assert without_times(outcome("OK"), "noisy").reason == "noisy"
    assert without_times(outcome("BROKEN"), "noisy").verdict == "BROKEN"
    assert without_times(outcome("BIGGER"), "noisy").verdict == "BIGGER"
    both = outcome("SLOWER", reason="slower; peak memory grew", base_bytes=2**20, new_bytes=2**30)
    assert without_times(both, "noisy").verdict == "BIGGER"
    assert "peak memory grew" in without_times(both, "noisy").reason


PART = """\
version: 1
name: {name}
component: norm
fixed: {{batch: 1, hidden: 64, norm: {norm}}}
sweep:
  seq_len: [8]
  kernel: [default]
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, norm in (("first", "layernorm"), ("second", "rmsnorm")):
        (tmp_path / f"{name}.yaml").write_text(PART.format(name=name, norm=norm))
    both = tmp_path / "both.yaml"
    both.write_text("version: 1\nname: both\nparts: [first.yaml, second.yaml]\n")
    return both


def test_a_suites_case_is_marked_in_its_part(suite: Path) -> None:
    scenario = load("both.yaml")
    locations = {case["norm"]: source_location(scenario, case) for case in expand(scenario)}
    assert {norm: (Path(path).name, line) for norm, (path, line) in locations.items()} == {
        "layernorm": ("first.yaml", 7),
        "rmsnorm": ("second.yaml", 7),
    }


def test_what_the_scenario_has_not_got_has_no_place(suite: Path) -> None:
    scenario = load("both.yaml")
    case = expand(scenario)[0]
    other = case.with_(seq_len=9)
    found = [Outcome(case.id, Verdict.OK), Outcome(other.id, Verdict.MISSING)]
    known, unknown = overruled(found, [with_source_location(scenario, [case, other])])
    assert Path(known.file).name == "first.yaml"
    assert (unknown.file, unknown.line) == ("", None)
