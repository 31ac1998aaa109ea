"""`tbench gate` as a team uses it: in a repository that is not tbench's own, with kernels of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.gate.test_checkout import git

SCENARIO = """\
version: 1
name: mine
component: attention
fixed: {batch: 1, heads: 2, head_dim: 32, causal: true}
sweep:
  seq_len: [64]
  kernel: ["./kernels.py:attend"]
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
CRASHING = KERNELS.replace("    scores = q", "    import os\n    os.abort()\n    scores = q")
BIGGER = KERNELS.replace("    scores = q", "    held = torch.empty(4 * 2**20, dtype=torch.uint8)\n    scores = q")


def tbench(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tbench", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},  # to wake a second thread is most of so short a call
        capture_output=True,
        text=True,
        timeout=900,  # a busy machine takes its time
    )


def gate(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = ("gate", "scenario.yaml", "--against", "HEAD", "--quick", "--device", "cpu", *arguments)
    return tbench(folder, *words, **environment)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "scenario.yaml").write_text(SCENARIO)
    (folder / "kernels.py").write_text(KERNELS)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "a kernel of ours")
    return folder


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stdout + done.stderr
    return lines[0]


def test_nothing_changed_is_no_regression(repository: Path) -> None:
    done = gate(repository, "-o", "out")
    assert done.returncode in (0, 3), done.stderr  # 3 where the machine is too busy to tell
    assert only_line(done).split()[0] in ("OK", "INCONCLUSIVE")
    assert "A/A control" in done.stderr
    assert "differs from its commit" not in done.stderr
    saved = json.loads((repository / "out" / "gate.json").read_text())
    assert saved["result"]["exit_code"] == done.returncode
    assert len(saved["pairs"][0]["screen"]) >= 6
    assert tbench(repository, "compare", "out/base", "out/new").returncode == 0
    again = gate(repository, "-o", "out")
    assert again.returncode == 2
    assert "holds a gate's result already" in again.stderr


def test_a_slower_kernel_is_red_and_told_everywhere_ci_looks(repository: Path) -> None:
    (repository / "kernels.py").write_text(SLOWER)
    done = gate(
        repository,
        "--allow-inconclusive",
        "--junit",
        "junit.xml",
        GITHUB_ACTIONS="true",
        GITHUB_STEP_SUMMARY=str(repository / "page.md"),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert only_line(done).startswith("SLOWER")
    assert "kernel=./kernels.py:attend" in only_line(done)
    assert "differs from its commit and is measured as it is: kernels.py" in done.stderr
    assert "::error file=scenario.yaml,line=7,title=tbench%3A SLOWER::SLOWER" in done.stderr
    page = (repository / "page.md").read_text()
    assert "**Regression.**" in page
    assert "a kernel of ours" in page
    (case,) = ElementTree.parse(repository / "junit.xml").iter("testcase")
    assert case.find("failure") is not None


def test_a_wrong_result_is_broken_however_fast(repository: Path) -> None:
    (repository / "kernels.py").write_text(WRONG)
    done = gate(repository)
    assert done.returncode == 4, done.stderr
    assert only_line(done).startswith("BROKEN")
    assert "float64 oracle" in only_line(done)


def test_a_crash_is_broken(repository: Path) -> None:
    (repository / "kernels.py").write_text(CRASHING)
    done = gate(repository)
    assert done.returncode == 4, done.stderr
    assert "SIGABRT" in only_line(done)


def test_more_memory_is_red_without_statistics(repository: Path) -> None:
    (repository / "kernels.py").write_text(BIGGER)
    done = gate(repository)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "memory grew" in only_line(done)


def test_a_base_that_does_not_load_is_neither_red_nor_green(repository: Path) -> None:
    (repository / "kernels.py").write_text("raise RuntimeError('not yet')\n\ndef attend(q, k, v, causal=False): ...\n")
    git(repository, "commit", "--quiet", "-am", "broken")
    (repository / "kernels.py").write_text(KERNELS)
    done = gate(repository)
    assert done.returncode == 3, done.stdout
    assert "the base failed" in only_line(done)
    assert gate(repository, "--allow-inconclusive").returncode == 0


def test_cases_of_one_side_only_are_named(repository: Path) -> None:
    (repository / "scenario.yaml").write_text(SCENARIO.replace("[64]", "[32]"))
    done = gate(repository)
    assert done.returncode == 3, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("ADDED")
    assert "seq_len=32" in first
    assert second.startswith("MISSING")
    assert "seq_len=64" in second
    (repository / "kernels.py").write_text(WRONG)
    broken = gate(repository)
    assert broken.returncode == 4
    assert broken.stdout.startswith("BROKEN")


def test_a_scenario_that_is_new_has_nothing_to_be_compared_with(repository: Path) -> None:
    (repository / "other.yaml").write_text(SCENARIO)
    done = tbench(repository, "gate", "other.yaml", "--against", "HEAD")
    assert done.returncode == 3
    assert "other.yaml does not exist at HEAD" in done.stderr


def test_a_scenario_that_the_reference_cannot_read_is_inconclusive(repository: Path) -> None:
    (repository / "scenario.yaml").write_text(SCENARIO.replace("heads: 2", "heads: two"))
    git(repository, "commit", "--quiet", "-am", "a typing error")
    (repository / "scenario.yaml").write_text(SCENARIO)
    done = gate(repository)
    assert done.returncode == 3
    assert "scenario.yaml:4:" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--against", "nowhere"], "nowhere"),
        ([], "--against REF"),
        (["--against", "HEAD", "--baseline", "x"], "not both"),
        (["--new-env", "x", "--baseline", "x"], "not both"),
        (["--against", "HEAD", "--junit", "no/folder/junit.xml"], "--junit"),
        (["--base-env", "no/python"], "there is no Python"),
        (["--baseline", "yesterday"], "tbench baseline save"),
        (["--against", "HEAD", "--tolerance", "many"], "--tolerance"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(repository: Path, arguments: list[str], said: str) -> None:
    done = tbench(repository, "gate", "scenario.yaml", *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_standard_input_is_refused_and_an_empty_programme(repository: Path) -> None:
    for words in (["gate", "-", "--against", "HEAD"], ["calibrate", "-"], ["baseline", "save", "-"]):
        done = tbench(repository, *words)
        assert done.returncode == 2
        assert "a scenario file is needed" in done.stderr
    assert tbench(repository, "calibrate", "scenario.yaml", "--same", "0").returncode == 2


def test_without_a_repository_there_is_no_reference(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    (tmp_path / "kernels.py").write_text(KERNELS)
    done = tbench(tmp_path, "gate", "scenario.yaml", "--against", "HEAD")
    assert done.returncode == 2
    assert "git repository" in done.stderr


def test_a_base_that_would_measure_the_working_tree_is_refused(repository: Path) -> None:
    package = repository / "python" / "ours"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(KERNELS)
    (repository / "scenario.yaml").write_text(SCENARIO.replace("./kernels.py:attend", "ours:attend"))
    git(repository, "add", "-A")
    git(repository, "commit", "--quiet", "-m", "a package")
    done = gate(repository, PYTHONPATH=str(repository / "python"))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "working tree" in done.stderr


def test_a_wrapper_does_not_hide_that_the_base_would_measure_the_working_tree(repository: Path) -> None:
    package = repository / "python" / "ours"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(KERNELS)
    (repository / "kernels.py").write_text(
        "import ours\n\ndef attend(q, k, v, causal=False):\n    return ours.attend(q, k, v, causal)\n"
    )
    git(repository, "add", "-A")
    git(repository, "commit", "--quiet", "-m", "a wrapper")
    done = gate(repository, PYTHONPATH=str(repository / "python"))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "ours/__init__.py" in done.stderr


def test_a_module_that_both_environments_take_from_the_repository_is_said_to_be_the_same(repository: Path) -> None:
    (repository / "scenario.yaml").write_text(SCENARIO.replace("./kernels.py:attend", "kernels:attend"))
    words = ("gate", "scenario.yaml", "--base-env", sys.executable, "--quick", "--device", "cpu")
    done = tbench(repository, *words)
    assert done.returncode in (0, 3), done.stderr
    assert "the same code on both sides" in done.stderr


def test_what_cannot_run_anywhere_is_no_pass(repository: Path) -> None:
    (repository / "scenario.yaml").write_text(SCENARIO.replace('"./kernels.py:attend"', "varlen"))
    git(repository, "commit", "--quiet", "-am", "CUDA only")
    done = gate(repository)
    assert done.returncode == 3, done.stderr
    assert only_line(done).startswith("SKIPPED")


def test_kernels_that_cannot_differ_are_named(repository: Path) -> None:
    (repository / "scenario.yaml").write_text(SCENARIO.replace('"./kernels.py:attend"', "flash"))
    git(repository, "commit", "--quiet", "-am", "flash only")
    done = gate(repository)
    assert done.returncode in (0, 3)
    assert "the same code on both sides" in done.stderr
    assert "flash" in done.stderr


def test_another_python_is_the_base(repository: Path) -> None:
    done = tbench(repository, "gate", "scenario.yaml", "--base-env", sys.executable, "--quick", "--device", "cpu")
    assert done.returncode in (0, 3), done.stderr
    assert only_line(done).split()[0] in ("OK", "INCONCLUSIVE")


def test_nobody_who_listens_is_no_reason_to_be_green(repository: Path) -> None:
    (repository / "kernels.py").write_text(WRONG)
    words = f"{sys.executable} -m tbench gate scenario.yaml --against HEAD --quick --device cpu -o out --junit a.xml"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {words} 2>&1 | true; exit ${{PIPESTATUS[0]}}"], cwd=repository, timeout=900
    )
    assert done.returncode == 4
    assert json.loads((repository / "out/gate.json").read_text())["result"]["exit_code"] == 4
    assert "BROKEN" in (repository / "a.xml").read_text()


def test_a_baseline_of_other_cases_leaves_nothing_to_compare(repository: Path) -> None:
    words = ("scenario.yaml", "--device", "cpu")
    assert tbench(repository, "run", *words, "--quick", "-o", "old", "--set", "seq_len=32").returncode == 0
    done = tbench(repository, "gate", *words, "--baseline", "old", "--junit", "a.xml")
    assert done.returncode == 3, done.stderr
    assert "none of these cases" in done.stderr
    assert "skipped" in (repository / "a.xml").read_text()


def test_a_stored_baseline_is_saved_listed_promoted_and_compared_with(repository: Path) -> None:
    saved = tbench(repository, "baseline", "save", "scenario.yaml", "--name", "first", "--device", "cpu")
    assert saved.returncode == 0, saved.stderr
    assert saved.stdout.strip() == "results/baselines/mine/first"
    listed = tbench(repository, "baseline", "list")
    assert "first" in listed.stdout
    assert "current" in listed.stdout.splitlines()[-1]
    done = tbench(repository, "gate", "scenario.yaml", "--baseline", "current", "-o", "today", "--device", "cpu")
    assert done.returncode in (0, 1, 3), done.stderr  # another minute is another day on a busy machine
    assert "kernel=./kernels.py:attend" in only_line(done)
    promoted = tbench(repository, "baseline", "promote", "today/new", "--name", "second")
    assert promoted.returncode == 0, promoted.stderr
    assert (repository / "results/baselines/mine/current").read_text() == "second\n"
    header = repository / "results/baselines/mine/second/run.json"
    changed = json.loads(header.read_text())
    changed["environment"]["torch"] = "1.0"
    header.write_text(json.dumps(changed))
    (repository / "kernels.py").write_text(SLOWER)
    advice = tbench(repository, "gate", "scenario.yaml", "--baseline", "second", "--device", "cpu")
    assert advice.returncode == 3, advice.stdout
    assert "torch" in advice.stdout


def test_calibration_goes_on_where_it_was_and_the_gate_uses_it(repository: Path) -> None:
    words = ("calibrate", "scenario.yaml", "--quick", "--device", "cpu")
    first = tbench(repository, *words, "--same", "1")
    assert first.returncode == 0, first.stderr
    assert "two worktrees of" in first.stderr
    assert "a kernel of ours" in first.stderr
    more = tbench(repository, *words, "--same", "1", "--injected", "1", "--memory", "1")
    assert more.returncode == 0, more.stderr
    assert git(repository, "worktree", "list").count("\n") == 0
    lines = (repository / "results/calibration/mine/trials.jsonl").read_text().splitlines()
    trials = [json.loads(line) for line in lines]
    assert sorted((one["share"], bool(one["bytes"])) for one in trials) == [
        (0.0, False),
        (0.0, True),
        (0.03, False),
        (0.1, False),
        (0.2, False),
    ]
    (grown,) = (one for one in trials if one["bytes"])
    assert grown["flags"][grown["victim"]] in ("BIGGER", "SLOWER")
    summary = json.loads((repository / "results/calibration/mine/calibration.json").read_text())
    assert summary["false_red"]["trials"] == 1
    assert summary["sigmas"]
    (repository / "kernels.py").write_text(KERNELS + "\n")
    refused = tbench(repository, *words, "--same", "2")
    assert refused.returncode != 0
    assert "trials of another checkout, which cannot be added up with these" in refused.stderr
    git(repository, "checkout", "--quiet", "kernels.py")
    done = gate(repository, "-o", "out")
    assert json.loads((repository / "out/gate.json").read_text())["pairs"][0]["sigma"] is not None, done.stderr
