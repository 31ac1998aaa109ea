"""The programme for a lent GPU: what it keeps when a step fails or takes too long, and what it says of the host."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

from gpu_session import Step, carried_out, host_time, main, programme

from tbench.records import Turn
from tests.comparison.runs import run_of, timed


def test_every_step_names_what_is_there(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    steps = programme(tmp_path)
    assert sum(step.seconds for step in steps[:6]) <= 30 * 60
    for step in steps:
        for word in step.command:
            if word.startswith(("scenarios/", "tests/")):
                assert (root / word).exists(), word


def test_a_step_that_fails_or_takes_too_long_leaves_its_output_and_its_reason(tmp_path: Path) -> None:
    says = (sys.executable, "-c", "import sys, time; print('so far', flush=True); time.sleep(60 * len(sys.argv) - 60)")
    ended = carried_out(Step("short", 30, says), tmp_path, 30)
    assert ended["exit"] == 0
    late = carried_out(Step("long", 30, (*says, "wait")), tmp_path, 1)
    assert late["exit"] == "ended after 1 s"
    assert (tmp_path / "long.log").read_text().startswith("so far")


def test_a_step_that_there_is_not_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--from", "lunch"])
    assert "no step 'lunch'; there are clock," in capsys.readouterr().err


def test_rows_that_follow_their_host_are_told_from_those_that_do_not() -> None:
    def turns(share: float) -> tuple[Turn, ...]:
        hosts = [20e-6, 43e-6, 21e-6, 60e-6, 22e-6]
        return tuple(
            Turn(index, 0, 1, (8e-6 * (1 + 0.01 * (index == 2)) + share * host,), (host,), clock="ahead")
            for index, host in enumerate(hosts)
        )

    free = replace(timed("flash", 1e-3, 1), turns=turns(0.0))
    bound = replace(timed("naive", 1e-3, 2), turns=turns(1.0))
    found = {one["case"]: one for one in host_time(run_of([free, bound]))}
    assert found[free.case.id]["r_squared"] < 0.5
    assert found[free.case.id]["slope"] == pytest.approx(0, abs=0.01)
    assert found[bound.case.id]["r_squared"] > 0.99
    assert found[bound.case.id]["slope"] == pytest.approx(1, abs=0.01)
