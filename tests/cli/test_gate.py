"""`tbench gate` as a team uses it: in a repository that is not tbench's own, with kernels of their own.

What a gate decides is tested without processes (tests/gate). Here are mistakes in the command, and the few whole gates
that only real workers can show; they take a rule with few pairs, so that a busy machine does not make them long.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tbench.analysis.run import Run
from tbench.cli import exit_code
from tbench.cli.gate import gate
from tbench.errors import Inconclusive, UsageError
from tbench.gate import paired, stored
from tbench.gate.calibrate import TrialPlan, calibrate
from tbench.gate.decision import Rule
from tbench.gate.options import Options
from tbench.scenario import load
from tests.gate.test_checkout import git

ROOT = Path(__file__).parents[2]
FEW = Rule(alpha=0.2, screen=4, look_on=4, least=6, most=6)  # pairs: four to screen, six to confirm
SCENARIO = """\
version: 1
name: mine
component: attention
fixed: {batch: 1, heads: 2, head_dim: 32, causal: true}
sweep:
  seq_len: [64]
  kernel: ["./kernels.py:attend"]
sampling: {target: 0.5, min_time: 0.0, max_time: 0.2, min_rounds: 2, max_rounds: 2, warmup: 0.0, turn_time: 0.002}
"""
KERNELS = """\
import torch

def attend(q, k, v, causal=False):
    scores = q @ k.mT * q.shape[-1] ** -0.5
    if causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
        scores = scores.masked_fill(later, float("-inf"))
    return scores.softmax(-1) @ v
"""
SLOWER = KERNELS.replace("    scores = q", "    for _ in range(8):\n        q @ k.mT @ v\n    scores = q")
WRONG = KERNELS.replace("softmax(-1)", "softmax(-2)")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scenario and a kernel, committed; the current folder."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "scenario.yaml").write_text(SCENARIO)
    (folder / "kernels.py").write_text(KERNELS)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "a kernel of ours")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # to wake a second thread is most of so short a call
    monkeypatch.setattr(paired, "QUICK_TURN_SECONDS", 0.02)
    monkeypatch.setattr(paired, "WARM_UP_SECONDS", 0.01)
    return folder


def options(**more: object) -> Options:
    given: dict[str, object] = {"against": "HEAD", "device": "cpu", "quick": True, "output": "out", **more}
    return Options("scenario.yaml", **given)  # type: ignore[arg-type]


def only_line(printed: str) -> str:
    (line,) = printed.splitlines()
    return line


# ---------------------------------------------------------------------- mistakes: nothing is measured


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--against", "nowhere"], "nowhere"),
        ([], "--against REF"),
        (["--against", "HEAD", "--baseline", "x"], "not both"),
        (["--new-env", "x", "--baseline", "x"], "not both"),
        (["--against", "HEAD", "--junit", "no/folder/junit.xml"], "--junit"),
        (["--base-env", "no/python"], "no Python found"),
        (["--baseline", "yesterday"], "tbench baseline save"),
        (["--against", "HEAD", "--tolerance", "many"], "--tolerance"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    repository: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(["gate", "scenario.yaml", *arguments]) == UsageError.exit_code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", [["gate", "-", "--against", "HEAD"], ["calibrate", "-"], ["baseline", "save", "-"]])
def test_standard_input_is_refused(repository: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(words) == UsageError.exit_code
    assert "a scenario file is required" in capsys.readouterr().err


def test_a_calibration_without_a_trial_is_refused(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["calibrate", "scenario.yaml", "--same", "0"]) == UsageError.exit_code
    assert "no trials" in capsys.readouterr().err


def test_without_a_repository_there_is_no_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    (tmp_path / "kernels.py").write_text(KERNELS)
    monkeypatch.chdir(tmp_path)
    assert exit_code(["gate", "scenario.yaml", "--against", "HEAD"]) == UsageError.exit_code
    assert "git repository" in capsys.readouterr().err


def test_a_scenario_that_is_new_has_nothing_to_be_compared_with(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "other.yaml").write_text(SCENARIO)
    words = ["gate", "other.yaml", "--against", "HEAD", "--junit", "a.xml"]
    assert exit_code(words) == Inconclusive.exit_code
    assert "other.yaml does not exist at HEAD" in capsys.readouterr().err
    assert "skipped" in (repository / "a.xml").read_text()
    assert exit_code([*words, "--allow-inconclusive"]) == 0
    assert "inconclusive, which was allowed" in capsys.readouterr().err


def test_a_scenario_that_the_reference_cannot_read_is_inconclusive(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "scenario.yaml").write_text(SCENARIO.replace("heads: 2", "heads: two"))
    git(repository, "commit", "--quiet", "-am", "a typing error")
    (repository / "scenario.yaml").write_text(SCENARIO)
    assert exit_code(["gate", "scenario.yaml", "--against", "HEAD"]) == Inconclusive.exit_code
    assert "scenario.yaml:4:" in capsys.readouterr().err


# ---------------------------------------------------------------------- whole gates


def test_nothing_changed_is_no_regression(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is another Python that is the same."""
    code = gate(options(base_python=sys.executable), FEW)
    printed = capsys.readouterr()
    assert code in (0, 3), printed.err  # 3 where the machine is too busy to tell
    assert only_line(printed.out).split()[0] in ("OK", "INCONCLUSIVE")
    assert "A/A control" in printed.err
    assert "the code is compared with itself" in printed.err
    assert "uncommitted changes" not in printed.err
    saved = json.loads((repository / "out" / "gate.json").read_text())
    assert saved["result"]["exit_code"] == code
    assert saved["result"]["base"].endswith(f"({sys.executable})")
    assert saved["result"]["new"].endswith("(this one)")
    assert FEW.screen <= len(saved["pairs"][0]["screen"]) <= FEW.most  # more where the first look leaves it open
    assert exit_code(["compare", "out/base", "out/new"]) == 0
    assert git(repository, "worktree", "list").count("\n") == 0


def test_a_slower_kernel_is_red_and_shown_everywhere_ci_looks(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "page.md")
    (repository / "kernels.py").write_text(SLOWER)
    code = gate(options(allow_inconclusive=True, junit="junit.xml"), FEW)
    printed = capsys.readouterr()
    assert code == 1, printed.out + printed.err
    assert only_line(printed.out).startswith("SLOWER")
    assert "kernel=./kernels.py:attend" in only_line(printed.out)
    assert "uncommitted changes and is measured as is: kernels.py" in printed.err
    assert "::error file=scenario.yaml,line=7,title=tbench%3A SLOWER::SLOWER" in printed.err
    page = (repository / "page.md").read_text()
    assert "**Regression.**" in page
    assert "a kernel of ours" in page
    (case,) = ElementTree.parse(repository / "junit.xml").iter("testcase")
    assert case.find("failure") is not None


def test_nobody_who_listens_is_no_reason_to_be_green(repository: Path) -> None:
    (repository / "kernels.py").write_text(WRONG)
    words = f"{sys.executable} -m tbench gate scenario.yaml --against HEAD --quick --device cpu -o out --junit a.xml"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words} 2>&1 | true; exit ${{PIPESTATUS[0]}}"], cwd=repository, timeout=300
    )
    assert done.returncode == 4
    result = json.loads((repository / "out/gate.json").read_text())["result"]
    assert result["exit_code"] == 4
    assert "float64 reference" in result["outcomes"][0]["reason"]
    assert "BROKEN" in (repository / "a.xml").read_text()


def test_a_wrapper_does_not_hide_that_the_base_would_measure_the_working_tree(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = repository / "python" / "ours"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(KERNELS)
    (repository / "kernels.py").write_text(
        "import ours\n\ndef attend(q, k, v, causal=False):\n    return ours.attend(q, k, v, causal)\n"
    )
    git(repository, "add", "-A")
    git(repository, "commit", "--quiet", "-m", "a wrapper")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(repository / "python"), str(ROOT)]))
    with pytest.raises(UsageError, match=r"working tree's .*ours/__init__\.py"):
        gate(options(), FEW)


def test_a_stored_baseline_is_saved_listed_promoted_and_compared_with(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    brief = replace(
        stored.CANARIES, sampling=load("scenario.yaml").sampling, sweep={"kernel": ("copy",), "size": (64,)}
    )
    monkeypatch.setattr(stored, "CANARIES", brief)
    monkeypatch.setattr(stored, "LEAST_ROUNDS", 2)
    assert exit_code(["baseline", "save", "scenario.yaml", "--name", "first", "--device", "cpu"]) == 0
    assert capsys.readouterr().out.strip() == "results/baselines/mine/first"
    kept = repository / "results/baselines/mine/first"
    assert [row.status for row in Run.read(kept / "canary").measurements] == ["ok"]
    assert exit_code(["baseline", "list"]) == 0
    listed = capsys.readouterr().out
    assert "first" in listed
    assert "current" in listed.split("─")[-1]  # in the row, however wide the table is

    def measured_again(asked: Options, folder: Path, say: Callable[[str], None]) -> Run:
        return Run.read(shutil.copytree(kept, folder))

    monkeypatch.setattr(stored, "measure", measured_again)  # as it was for the baseline, to the last sample
    code = exit_code(["gate", "scenario.yaml", "--baseline", "current", "-o", "today", "--device", "cpu"])
    printed = capsys.readouterr()
    assert code in (0, 3), printed.err  # two processes may be too few to tell
    assert "kernel=./kernels.py:attend" in only_line(printed.out)
    assert "canaries instead of an A/A control" in printed.err
    assert exit_code(["baseline", "promote", "today/new", "--name", "second"]) == 0
    assert (repository / "results/baselines/mine/current").read_text() == "second\n"


def test_a_baseline_of_other_cases_leaves_nothing_to_compare(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["scenario.yaml", "--device", "cpu"]
    assert exit_code(["run", *words, "--quick", "-o", "old", "--set", "seq_len=32"]) == 0
    assert exit_code(["gate", *words, "--baseline", "old", "--junit", "a.xml"]) == Inconclusive.exit_code
    assert "none of these cases" in capsys.readouterr().err
    assert "skipped" in (repository / "a.xml").read_text()


def test_work_and_memory_that_are_injected_are_found(repository: Path) -> None:
    folder = repository / "results/calibration/mine"
    said: list[str] = []
    asked = options(against=None, output=None)
    plan = TrialPlan(injected=1, memory=1, shares=(2.0,))
    _, trials = calibrate(asked, plan, folder, said.append, FEW)
    assert said[0].startswith("measures two worktrees of ")
    assert said[0].endswith("a kernel of ours")
    work, memory = sorted(trials, key=lambda one: one.bytes > 0)
    assert work.flags == {work.target: "SLOWER"}
    assert memory.flags[memory.target] in ("BIGGER", "SLOWER")
    assert git(repository, "worktree", "list").count("\n") == 0
