"""A stored baseline's comparison in the gate's words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tbench.analysis.run import Run
from tbench.comparison.compare import compare
from tbench.gate.baselines import CANARY
from tbench.gate.options import Options
from tbench.gate.outcome import Result
from tbench.gate.stored import CANARIES, compared, verdict, with_enough_rounds
from tbench.records import Environment, Measurement, Status
from tbench.scenario import Scenario, expand, load
from tests.comparison.runs import HERE, run_of, stored, timed, weighing
from tests.synthetic import attention, failed, turns

FLASH = attention("flash")
SCENARIO = """\
version: 1
name: mine
component: attention
fixed: {batch: 1, heads: 8, head_dim: 64, causal: true}
sweep:
  seq_len: [1024]
  kernel: [flash]
"""

WANTED = Scenario(
    "mine",
    "",
    "attention",
    {"batch": 1, "heads": 8, "head_dim": 64, "causal": True},
    {"seq_len": (1024,), "kernel": ("flash",)},
)


def said(base: list[Measurement], new: list[Measurement]) -> str:
    kept = timed("naive", 1e-2, 1)  # in both, so that there is something to compare
    rows = compare(run_of([kept, *base]), run_of([kept, *new])).rows
    return verdict(next(row for row in rows if row.case == FLASH))


@pytest.mark.parametrize(
    ("status", "then", "now"),
    [
        ("error", "INCONCLUSIVE", "BROKEN"),
        ("wrong", "INCONCLUSIVE", "BROKEN"),
        ("timeout", "INCONCLUSIVE", "BROKEN"),
        ("unsupported", "ADDED", "BROKEN"),
        ("oom", "ADDED", "BROKEN"),
    ],
)
def test_a_side_that_is_not_ok(status: Status, then: str, now: str) -> None:
    bad, good = failed(FLASH, status, "why"), timed("flash", 5e-3, 1)
    assert said([bad], [good]) == then
    assert said([good], [bad]) == now
    assert said([bad], [bad]) == ("SKIPPED" if then == "ADDED" else "BROKEN")


def test_a_side_that_has_no_such_case_and_one_that_has_grown() -> None:
    good = timed("flash", 5e-3, 1)
    assert said([good], []) == "MISSING"
    assert said([], [good]) == "ADDED"
    assert said([weighing(good, 2**30)], [weighing(good, 2**31)]) == "BIGGER"


def test_enough_processes_are_asked_of_every_case() -> None:
    assert with_enough_rounds(CANARIES).sampling.min_rounds >= 8
    assert with_enough_rounds(with_enough_rounds(CANARIES)) == with_enough_rounds(CANARIES)
    assert [point.get("kernel") for point in CANARIES.points] == ["matmul", "copy", "copy"]


def run_with_canaries(
    folder: Path, seconds: float, seed: int, environment: Environment = HERE, canary_seconds: float | None = 1e-3
) -> Run:
    """A stored run of one case, with canaries that take `canary_seconds`; None: without."""
    stored(folder, [timed("flash", seconds, seed, rounds=8)], environment)
    if canary_seconds is not None:
        canaries = [
            Measurement(case, "ok", error=0.0, turns=turns(canary_seconds, seed + n, rounds=8, between=0.002))
            for n, case in enumerate(expand(CANARIES, "cpu"))
        ]
        stored(folder / CANARY, canaries, environment)
    run = Run.read(folder)
    return replace(run, header={**run.header, "scenario": WANTED.to_dict()})


def against(folder: Path, base: Run, new: Run) -> tuple[Result, str]:
    (folder / "scenario.yaml").write_text(SCENARIO)
    scenario = load(str(folder / "scenario.yaml"))
    result, doubts = compared(base, new, Options(str(folder / "scenario.yaml"), device="cpu"), scenario)
    return result, "; ".join(doubts)


@pytest.mark.parametrize(("seconds", "expected"), [(5e-3, "OK"), (7e-3, "SLOWER"), (3e-3, "FASTER")])
def test_a_baseline_decides_where_nothing_but_the_code_has_changed(
    tmp_path: Path, seconds: float, expected: str
) -> None:
    base, new = run_with_canaries(tmp_path / "base", 5e-3, 1), run_with_canaries(tmp_path / "new", seconds, 9)
    result, doubts = against(tmp_path, base, new)
    (one,) = result.outcomes
    assert (one.verdict, doubts) == (expected, "")
    assert (Path(one.file).name, one.line) == ("scenario.yaml", 7)
    assert result.stored


@pytest.mark.parametrize(
    ("now", "why"),
    [
        ({"environment": replace(HERE, torch="9.9")}, "the environment differs (torch)"),
        ({"canary_seconds": 1.2e-3}, "the canary copy of size 1024 takes 1.20× its time"),
        ({"canary_seconds": 0.8e-3}, "the canary copy of size 1024 takes 0.80× its time"),
    ],
)
def test_otherwise_what_it_says_of_time_is_advice(tmp_path: Path, now: dict[str, object], why: str) -> None:
    base = run_with_canaries(tmp_path / "base", 5e-3, 1)
    new = run_with_canaries(tmp_path / "new", 7e-3, 9, **now)  # type: ignore[arg-type]
    result, doubts = against(tmp_path, base, new)
    (one,) = result.outcomes
    assert why in doubts
    assert one.verdict == "INCONCLUSIVE"
    assert one.reason.startswith("SLOWER, advisory only: the baseline is from another day and ")
    assert result.exit_code == 3


def test_without_canaries_it_is_advice_too(tmp_path: Path) -> None:
    base = run_with_canaries(tmp_path / "base", 5e-3, 1, canary_seconds=None)
    result, doubts = against(tmp_path, base, run_with_canaries(tmp_path / "new", 5e-3, 9))
    assert "it holds no canaries" in doubts
    assert result.exit_code == 3


def test_what_fails_now_is_broken_on_any_day(tmp_path: Path) -> None:
    base = run_with_canaries(tmp_path / "base", 5e-3, 1)
    stored(tmp_path / "new", [failed(FLASH, "wrong", "why")], replace(HERE, torch="9.9"))
    stored(tmp_path / "new" / CANARY, Run.read(tmp_path / "base" / CANARY).measurements)
    result, _ = against(tmp_path, base, Run.read(tmp_path / "new"))
    assert [one.verdict for one in result.outcomes] == ["BROKEN"]
    assert result.exit_code == 4
