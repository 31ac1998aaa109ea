"""What was edited while it was measured has no verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbench.gate.code import Origin, Sources, kernel_of
from tbench.gate.edits import prints, without_edited
from tbench.gate.outcome import Outcome, Verdict
from tests.synthetic import attention

MINE, FLASH = attention("./kernels.py:attend"), attention("flash")


def origin(folder: Path) -> Origin:
    named, helper = folder / "kernels.py", folder / "helper.py"
    for file in (named, helper):
        file.write_text("old")
    sources = Sources(named, (named, helper))
    return Origin(kernel_of(MINE), Sources(), sources, named)


def verdicts(folder: Path, found: Origin, edited: str, verdict: Verdict) -> list[Outcome]:
    before = prints([found], folder)
    if edited:
        (folder / edited).write_text("new")
    outcomes = [Outcome(MINE.id, verdict, "why"), Outcome(FLASH.id, "OK")]
    return without_edited(outcomes, [MINE, FLASH], [found], folder, before)


@pytest.mark.parametrize("edited", ["kernels.py", "helper.py"])
@pytest.mark.parametrize("verdict", ["OK", "SLOWER", "BROKEN", "ADDED"])
def test_a_kernel_that_was_edited_is_open_and_no_other(tmp_path: Path, edited: str, verdict: Verdict) -> None:
    mine, flash = verdicts(tmp_path, origin(tmp_path), edited, verdict)
    assert mine.verdict == "INCONCLUSIVE"
    assert f"{edited} was edited" in mine.reason
    assert flash.verdict == "OK"


def test_what_was_left_alone_or_not_measured_keeps_its_verdict(tmp_path: Path) -> None:
    mine, _ = verdicts(tmp_path, origin(tmp_path), "", "SLOWER")
    assert (mine.verdict, mine.reason) == ("SLOWER", "why")
    mine, _ = verdicts(tmp_path, origin(tmp_path), "helper.py", "SKIPPED")
    assert mine.verdict == "SKIPPED"


def test_a_file_that_is_gone_was_edited(tmp_path: Path) -> None:
    found = origin(tmp_path)
    before = prints([found], tmp_path)
    (tmp_path / "helper.py").unlink()
    (one,) = without_edited([Outcome(MINE.id, "OK")], [MINE], [found], tmp_path, before)
    assert one.verdict == "INCONCLUSIVE"
