"""A run as a whole: suites, and going on where one was broken off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tbench
from tbench.analysis.turns import by_round
from tbench.execution.plan import NOT_TOGETHER

PART = """\
version: 1
name: {name}
component: attention
fixed: {{batch: 1, heads: 2, head_dim: 16, seq_len: 32}}
sweep: {{kernel: [{kernels}]}}
baseline: {{kernel: naive}}
sampling: {{target: 0.5, min_time: 0.0, max_time: 0.2, min_rounds: 2, max_rounds: 2, warmup: 0.0, turn_time: 0.002}}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(PART.format(name="a", kernels="naive, flash"))
    (tmp_path / "b.yaml").write_text(PART.format(name="b", kernels="naive, math"))
    (tmp_path / "suite.yaml").write_text("version: 1\nname: suite\nparts: [a.yaml, b.yaml]\n")
    return tmp_path / "suite.yaml"


def test_a_case_is_measured_once_and_compared_only_with_what_ran_beside_it(suite: Path, tmp_path: Path) -> None:
    run = tbench.run(suite, out=tmp_path / "run", device="cpu")
    found = {str(row.measurement.case["kernel"]): row for row in run.rows}
    assert list(found) == ["naive", "flash", "math"]
    assert found["flash"].speedup is not None
    assert found["math"].speedup is None
    assert NOT_TOGETHER in [reason.text for reason in found["math"].reasons]


def test_a_group_that_was_half_appended_goes_on_with_its_turns(suite: Path, tmp_path: Path) -> None:
    """The state a crash leaves between two lines of one group."""
    folder = tmp_path / "run"
    tbench.run(tmp_path / "a.yaml", out=folder, device="cpu")
    first, second = (folder / "measurements.jsonl").read_text().splitlines()
    (folder / "measurements.jsonl").write_text(first + "\n")
    (folder / "unfinished.jsonl").write_text(first + "\n" + second + "\n")
    again = tbench.run(tmp_path / "a.yaml", out=folder, device="cpu", resume=True)
    naive, flash = again.rows
    assert (folder / "measurements.jsonl").read_text().splitlines()[0] == first
    assert len((folder / "measurements.jsonl").read_text().splitlines()) == 2
    assert flash.speedup is not None
    assert len(by_round(naive.measurement.turns)) == len(by_round(flash.measurement.turns)) == 2


def test_a_line_that_was_taken_out_is_measured_again_beside_its_baseline(suite: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    tbench.run(tmp_path / "a.yaml", out=folder, device="cpu")
    first, _ = (folder / "measurements.jsonl").read_text().splitlines()
    (folder / "measurements.jsonl").write_text(first + "\n")
    again = tbench.run(tmp_path / "a.yaml", out=folder, device="cpu", resume=True)
    naive, flash = again.rows
    assert flash.speedup is not None
    old = json.loads(first)["turns"]
    assert [turn.seconds for turn in naive.measurement.turns[: len(old)]] == [tuple(turn["seconds"]) for turn in old]
