"""Failures are marked in the file and at the line that ask for the case: of a suite the part's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbench.gate.outcome import Outcome
from tbench.gate.spots import located, spot
from tbench.scenario import load

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
    places = {case["norm"]: spot(scenario, case) for case in scenario.cases}
    assert {norm: (Path(path).name, line) for norm, (path, line) in places.items()} == {
        "layernorm": ("first.yaml", 7),
        "rmsnorm": ("second.yaml", 7),
    }


def test_what_the_scenario_has_not_got_has_no_place(suite: Path) -> None:
    scenario = load("both.yaml")
    case = scenario.cases[0]
    other = case.with_(seq_len=9)
    known, unknown = located([Outcome(case.id, "OK"), Outcome(other.id, "MISSING")], scenario, [case, other])
    assert Path(known.file).name == "first.yaml"
    assert (unknown.file, unknown.line) == ("", None)
