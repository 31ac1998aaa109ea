"""A result as lines, Markdown, GitHub's commands and JUnit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tbench.analysis.statistics import Interval
from tbench.comparison.model import Verdict
from tbench.errors import UsageError
from tbench.gate.ci import announce, clear_junit, write_junit, write_junit_of_nothing
from tbench.gate.outcome import Outcome, Result
from tbench.gate.text import control, line, markdown, summary, workflow_commands

CASE = "attention/forward device=cpu kernel=./a,b.py:f"
RATIO = Interval(1.2, 1.15, 1.26, 0.05, 12, 12)


def outcome(verdict: str, **more: object) -> Outcome:
    return Outcome(CASE, Verdict(verdict), **more)  # type: ignore[arg-type]


def result(*outcomes: Outcome) -> Result:
    return Result("mine", "perf/a:b.yaml", "main", "the working tree", 0.05, 0.01, outcomes, None, ("a | note",))


def test_a_line_has_figures_where_there_are_some() -> None:
    full = outcome("SLOWER", reason="because", ratio=RATIO, base_seconds=0.0123, new_seconds=0.0148)
    assert line(full) == f"SLOWER        1.20× [1.15, 1.26]  12.3 ms → 14.8 ms  {CASE}: because"
    assert line(outcome("MISSING", reason="two\nlines")) == f"MISSING       {CASE}: two lines"
    assert "1 SLOWER" in summary(result(full))


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("OK", "A/A control passed: base vs. base 1.20× [1.15, 1.26]"),
        ("SLOWER", "A/A control failed: base vs. base 1.20× [1.15, 1.26]"),
        ("FASTER", "A/A control failed: base vs. base 1.20× [1.15, 1.26]"),
        ("INCONCLUSIVE", "A/A control inconclusive: base vs. base 1.20× [1.15, 1.26]"),
    ],
)
def test_the_control_says_what_it_showed(verdict: str, said: str) -> None:
    assert control(replace(result(), control=outcome(verdict, ratio=RATIO))) == said


def test_without_a_control_it_is_said_what_stands_in_its_place() -> None:
    assert control(result()) == "no A/A control: no case could be compared"
    assert control(replace(result(), stored=True)) == "canaries instead of an A/A control"


def test_markdown_keeps_its_table() -> None:
    text = markdown(result(outcome("BROKEN", reason="a | b\nc `d`")))
    row = next(one for one in text.splitlines() if "BROKEN" in one and one.startswith("|"))
    assert row.replace("\\|", "").count("|") == 7
    assert "**Broken.**" in text
    assert "a \\| note" in text


def test_github_is_told_of_failures_at_the_scenarios_line() -> None:
    commands = list(workflow_commands(result(outcome("OK"), outcome("SLOWER", reason="50%\nmore", line=7))))
    (of_a_part,) = workflow_commands(result(outcome("SLOWER", file="perf/part.yaml", line=3)))
    assert of_a_part.startswith("::error file=perf/part.yaml,line=3,")
    assert len(commands) == 1
    assert commands[0].startswith("::error file=perf/a%3Ab.yaml,line=7,title=tbench%3A SLOWER::SLOWER")
    assert commands[0].endswith("50%25 more")
    (open_,) = workflow_commands(result(outcome("INCONCLUSIVE")))
    assert open_.startswith("::warning ")


def test_github_is_told_of_ten_cases_the_worst_first_and_how_many_there_are_besides() -> None:
    failing = [outcome("INCONCLUSIVE")] * 4 + [outcome("SLOWER", ratio=RATIO)] * 5 + [outcome("BROKEN")] * 3
    commands = list(workflow_commands(result(*failing)))
    assert len(commands) == 10
    assert [one.split(" ")[0] for one in commands] == ["::error"] * 8 + ["::warning"] * 2
    assert "BROKEN" in commands[0] and "3 more: see the step's summary" in commands[-1]
    assert len(list(workflow_commands(result(*failing[:10])))) == 10
    assert not any("more:" in one for one in workflow_commands(result(*failing[:10])))


def test_the_summary_stays_below_what_github_takes_and_the_worst_cases_are_in_it() -> None:
    many = [replace(outcome("OK", reason="x" * 2000), case=f"{CASE} n={number}") for number in range(800)]
    text = markdown(result(*many, outcome("SLOWER", ratio=RATIO)), 10**6)
    assert 900_000 < len(text.encode()) <= 10**6
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert "SLOWER" in rows[2]
    assert f"{len(many) + 1 - (len(rows) - 2)} more cases in the gate's folder, gate.md" in text
    assert markdown(result(outcome("OK")), 10**6) == markdown(result(outcome("OK")))


def test_control_characters_reach_no_log() -> None:
    evil = outcome("BROKEN", reason="a\x1b[31m\x07b\nc")
    for text in (line(evil), markdown(result(evil)), *workflow_commands(result(evil))):
        assert "\x1b" not in text and "\x07" not in text and "\\x1b[31m" in text.replace("\\\\", "\\")


def test_nothing_is_announced_where_nobody_listens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    announce(result(outcome("SLOWER")), {})
    assert capsys.readouterr().err == ""
    announce(result(outcome("SLOWER")), {"GITHUB_STEP_SUMMARY": str(page), "GITHUB_ACTIONS": "true"})
    assert page.read_text().startswith("## tbench gate: mine")
    assert "::error" in capsys.readouterr().err
    announce(result(outcome("OK")), {"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "folder")})
    assert "cannot be written" in capsys.readouterr().err


def test_junit_has_a_test_for_every_case(tmp_path: Path) -> None:
    verdicts = ["OK", "FASTER", "ADDED", "SLOWER", "BIGGER", "BROKEN", "INCONCLUSIVE", "MISSING", "SKIPPED"]
    write_junit(result(*(outcome(one, reason="why") for one in verdicts)), str(tmp_path / "a.xml"))
    (suite,) = ElementTree.parse(tmp_path / "a.xml").iter("testsuite")
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["9", "2", "1", "3"]
    assert all(test.get("time") is None for test in suite.iter("testcase"))  # not measured is not 0


def test_a_gate_without_a_verdict_leaves_a_skipped_test_and_nothing_old(tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    file.write_text("of an earlier run")
    clear_junit(str(file))
    assert not file.exists()
    write_junit_of_nothing("mine", "no such scenario at main", str(file))
    (test,) = ElementTree.parse(file).iter("testcase")
    assert "no such scenario" in str(test.find("skipped").attrib)  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="--junit"):
        clear_junit(str(tmp_path / "no" / "folder.xml"))
