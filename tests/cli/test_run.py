"""`tbench run` as a user meets it: through the command line, real measurements of tiny cases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tbench
from tbench.claims import assess
from tbench.cli import exit_code
from tbench.cli.dry_run import MOST_PROBES, kind, small
from tbench.execution import prepare
from tbench.execution.local import LocalExecutor
from tests.components.cases import attention
from tests.execution import hostile

TINY = """\
version: 1
name: tiny
title: Two kernels, small
component: attention
phase: forward
fixed: {batch: 1, heads: 2, head_dim: 16, dtype: float32, causal: true}
sweep:
  seq_len: [32, 64]
  kernel: [naive, flash]
baseline: {kernel: naive}
sampling: {target: 0.5, min_time: 0.0, max_time: 0.2, min_rounds: 2, max_rounds: 2, warmup: 0.0, turn_time: 0.002}
"""
COLUMNS = [
    "case",
    "component",
    "phase",
    "device",
    "dtype",
    "batch",
    "seq_len",
    "heads",
    "kv_heads",
    "head_dim",
    "causal",
    "pattern",
    "kernel",
    "status",
    "reason",
    "latency_ms",
    "latency_ms_low",
    "latency_ms_high",
    "samples",
    "speedup",
    "speedup_low",
    "speedup_high",
    "peak_memory_bytes",
    "memory_ratio",
    "tflops",
    "gbytes_per_s",
    "limit_fraction",
    "error",
]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the tiny scenario, made once; beside it what it has printed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(TINY)
    with (
        (folder / "printed").open("w") as out,
        (folder / "messages").open("w") as err,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        assert exit_code(["run", str(folder / "tiny.yaml"), "-o", str(folder / "run"), "--device", "cpu"]) == 0
    return folder / "run"


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "measurements.jsonl").read_text().splitlines()]


def test_prints_the_table_and_fills_the_folder(finished: Path) -> None:
    printed = (finished.parent / "printed").read_text()
    assert "flash" in printed
    assert "naive" in printed
    assert "×" in printed
    assert "Traceback" not in (finished.parent / "messages").read_text()
    assert {"run.json", "measurements.jsonl", "results.csv", "report.md"} <= {path.name for path in finished.iterdir()}


def test_results_csv_has_the_columns_of_the_contract(finished: Path) -> None:
    frame = pd.read_csv(finished / "results.csv")
    assert list(frame.columns) == COLUMNS
    assert list(frame["status"]) == ["ok"] * 4
    assert list(frame["seq_len"]) == [32, 32, 64, 64]
    naive = frame[frame["kernel"] == "naive"]
    assert set(naive["speedup"]) == {1.0}
    ordered = frame[["latency_ms_low", "latency_ms", "latency_ms_high"]]
    assert (ordered.diff(axis=1).iloc[:, 1:] >= 0).all().all()
    assert (frame["limit_fraction"] <= 1).all()
    assert (frame["peak_memory_bytes"] > 0).all()


def test_read_run_gives_the_same_frame(finished: Path) -> None:
    frame = tbench.read_run(finished)
    assert list(frame.columns) == COLUMNS
    assert list(frame["case"]) == list(pd.read_csv(finished / "results.csv")["case"])


def test_raw_samples_are_kept_in_full(finished: Path) -> None:
    for line in lines(finished):
        turns = line["turns"]
        assert isinstance(turns, list)
        assert {turn["round"] for turn in turns} == {0, 1}
        assert all(second > 0 for turn in turns for second in turn["seconds"])


def test_header_tells_the_machine(finished: Path) -> None:
    header = json.loads((finished / "run.json").read_text())
    assert header["status"] == "complete"
    assert header["seed"] == 0
    assert header["environment"]["threads"] >= 1
    assert header["environment"]["ceilings"]["flops"]["float32"] > 0
    assert header["scenario"]["name"] == "tiny"


@pytest.mark.parametrize("format", ["text", "md", "csv", "json"])
def test_every_report_of_a_run(finished: Path, format: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["report", str(finished), "--format", format]) == 0
    assert "flash" in capsys.readouterr().out


def test_a_folder_with_a_run_is_refused(tiny: Path, finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (finished / "measurements.jsonl").read_bytes()
    assert exit_code(["run", str(tiny), "-o", str(finished), "--device", "cpu"]) == 2
    assert "--resume" in capsys.readouterr().err
    assert (finished / "measurements.jsonl").read_bytes() == before


def test_resuming_a_finished_run_measures_nothing(tiny: Path, finished: Path) -> None:
    before = (finished / "measurements.jsonl").read_bytes()
    assert exit_code(["run", str(tiny), "-o", str(finished), "--device", "cpu", "--resume"]) == 0
    assert (finished / "measurements.jsonl").read_bytes() == before


def test_selection_override_and_stdin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TINY.encode())))
    run = tmp_path / "run"
    arguments = ["run", "-", "-o", str(run), "--device", "cpu", "--set", "seq_len=48", "-k", "kernel=naive"]
    assert exit_code(arguments) == 0
    assert [line["id"] for line in lines(run)] == [
        "attention/forward device=cpu dtype=float32 batch=1 seq_len=48 heads=2 kv_heads=2 head_dim=16 causal=true "
        "pattern=full kernel=naive"
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-k", "kernel=math"], 5, "kernel"),
        (["-k", "kernl=naive"], 2, "kernel"),
        (["--set", "kernel=flsh"], 2, "flash"),
        (["--device", "cuda:0"], 2, "cuda"),
        (["--device", "tpu"], 2, "tpu"),
        (["--resume"], 2, "-o"),
        (["-o", ""], 2, "names no folder"),
        (["--quick", "--rigorous"], 2, "--quick"),
        (["--max-time", "-1"], 2, "--max-time"),
        (["--executor", "slurm"], 2, "local"),
    ],
)
def test_mistakes_on_the_command_line_leave_nothing_behind(
    tiny: Path,
    arguments: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tiny.parent)
    assert exit_code(["run", str(tiny), *arguments]) == code
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert [file.name for file in tiny.parent.iterdir()] == ["tiny.yaml"]


def test_a_mistake_in_the_scenario_has_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(TINY.replace("kernel: [naive, flash]", "kernel: [naive, flsh]"))
    assert exit_code(["run", str(path)]) == 2
    assert f"{path}:9:19" in capsys.readouterr().err


def test_dry_run_measures_nothing_and_tells_everything(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    suite = tmp_path / "suite.yaml"
    suite.write_text("version: 1\nname: suite\nparts: [tiny.yaml]\n")
    assert exit_code(["run", str(suite), "--dry-run", "--device", "cpu", "--set", "kernel=naive,cudnn"]) == 0
    out = capsys.readouterr().out
    assert "Two kernels, small: 4 cases" in out
    assert "runs" in out
    assert "cudnn" in out
    assert "unsupported" in out
    assert not (tmp_path / "results").exists()


def test_of_many_cases_one_of_each_kind_is_tried() -> None:
    cases = [
        attention(kernel, seq_len=n, pattern=pattern)
        for n in range(16, 16 + MOST_PROBES)
        for kernel in ("naive", "flex")
        for pattern in ("full", "window:8")
    ]
    few = small(cases[:MOST_PROBES])
    assert list(few.values()) == cases[:MOST_PROBES]
    many = small(cases)
    assert list(many) == cases
    assert list(dict.fromkeys(many.values())) == cases[:4]
    assert all(kind(case) == kind(one) for case, one in many.items())
    long = attention("naive", seq_len=4096)
    assert small([long]) == {long: attention("naive", seq_len=512)}


def test_a_suite_prints_the_table_and_judges_the_claims_once(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judged: list[object] = []

    def counted(*arguments: Any) -> Any:
        judged.append(arguments)
        return assess(*arguments)

    for module in ("tbench.claims.formats", "tbench.cli.table", "tbench.page.headline"):
        monkeypatch.setattr(f"{module}.assess", counted)
    (tmp_path / "suite.yaml").write_text("version: 1\nname: suite\nparts: [tiny.yaml]\n")
    assert exit_code(["run", str(tmp_path / "suite.yaml"), "-o", str(tmp_path / "run"), "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert len(judged) == 1
    assert (tmp_path / "run" / "table.md").exists()
    assert len(out.splitlines()) <= 60 and "report: " in out
    assert "Two kernels, small" not in out  # the part, case by case
    assert exit_code(["table", str(tmp_path / "run")]) == 0
    assert out.startswith(capsys.readouterr().out)
    assert exit_code(["report", str(tmp_path / "run")]) == 0
    assert "Two kernels, small" in capsys.readouterr().out


def test_a_failing_case_is_a_row_and_exit_code_4(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def with_hostile(modules: Sequence[str], templates: bool) -> LocalExecutor:
        return LocalExecutor(modules=[*modules, "tests.execution.hostile_server"], templates=templates)

    monkeypatch.setattr(prepare, "LocalExecutor", with_hostile)
    kernels = "kernel=naive,test-segfault,test-wrong,test-unsupported,test-oom"
    run = tmp_path / "run"
    command = ["run", str(tiny), "-o", str(run), "--device", "cpu", "--set", kernels, "--set", "seq_len=32"]
    with hostile.registered():
        assert exit_code(command) == 4
    frame = tbench.read_run(run)
    assert list(frame["status"]) == ["ok", "error", "wrong", "unsupported", "oom"]
    assert frame["latency_ms"].notna().tolist() == [True, False, False, False, False]
    err = capsys.readouterr().err
    assert "SIGSEGV" in err


def test_more_memory_than_there_is_is_a_result(tiny: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    sizes = ["--set", "seq_len=32,1048576", "--set", "kernel=naive"]
    assert exit_code(["run", str(tiny), "-o", str(run), "--device", "cpu", *sizes]) == 0
    frame = tbench.read_run(run).set_index("seq_len")
    assert frame.loc[1048576, "status"] == "oom"
    assert "GiB" in frame.loc[1048576, "reason"]
    assert frame.loc[32, "status"] == "ok"
