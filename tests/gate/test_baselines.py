"""Where baselines are kept, how one is named, and what may become one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tbench.errors import UsageError
from tbench.gate import baselines
from tbench.records import Measurement
from tbench.store import RunFolder
from tests.synthetic import ENVIRONMENT, attention, failed


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(folder: Path, status: str = "complete", name: str = "mine", measured: Sequence[Measurement] = ()) -> Path:
    header = {
        "scenario": {"name": name},
        "environment": ENVIRONMENT.to_dict(),
        "cases": [one.case.id for one in measured],
    }
    with RunFolder.create(folder, header) as store:
        for one in measured:
            store.append(one)
        store.finish(status)
    return folder


def test_a_run_is_copied_and_made_current_and_found(here: Path) -> None:
    made(here / "today")
    made(here / "today" / "canary", name="canary")
    (here / "today" / "report.md").write_text("derived")
    run, kept = baselines.promote("today", "first")
    assert kept == Path("results/baselines/mine/first")
    assert run.header["scenario"]["name"] == "mine"
    assert sorted(path.name for path in kept.iterdir()) == ["canary", "measurements.jsonl", "run.json"]
    assert baselines.find("current", "mine") == baselines.find("first", "mine") == kept
    assert baselines.find("today", "mine") == Path("today")
    (one,) = baselines.every()
    assert (one.scenario, one.name, one.current, one.canaries) == ("mine", "first", True, True)


def test_a_kept_one_is_promoted_without_a_copy(here: Path) -> None:
    made(baselines.folder("mine", "a"))
    made(baselines.folder("mine", "b"))
    baselines.promote("mine/a", None)
    baselines.promote("mine/b", None)
    assert baselines.current("mine") == "b"
    assert len(list(baselines.every())) == 2


def test_what_is_not_complete_or_there_already_is_refused(here: Path) -> None:
    made(here / "broken", status="interrupted")
    with pytest.raises(UsageError, match="not complete"):
        baselines.promote("broken", None)
    made(here / "whole")
    baselines.promote("whole", "a")
    with pytest.raises(UsageError, match="exists already"):
        baselines.promote("whole", "a")
    made(here / "failing", measured=[failed(attention("flash"), "wrong", "why")])
    with pytest.raises(UsageError, match="failed, so it cannot be a baseline: attention/forward"):
        baselines.promote("failing", None)
    with pytest.raises(UsageError, match="no such run folder"):
        baselines.promote("nowhere", None)


@pytest.mark.parametrize("name", ["../up", "current", "", ".hidden", "a/b", "x" * 101])
def test_a_name_is_a_name(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name"):
        baselines.folder("mine", name)


@pytest.mark.parametrize("given", ["nowhere", "current", "../../etc"])
def test_a_baseline_that_is_not_there_says_what_is(here: Path, given: str) -> None:
    with pytest.raises(UsageError, match="tbench baseline save"):
        baselines.find(given, "mine")
    made(baselines.folder("mine", "a"))
    with pytest.raises(UsageError, match="available: a"):
        baselines.find(given, "mine")
