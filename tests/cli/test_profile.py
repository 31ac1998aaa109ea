"""`tbench profile` as a user meets it: two real cases, once."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tbench.cli import exit_code
from tbench.measure.profiler import CALL

SCENARIO = """\
version: 1
name: two
component: attention
fixed: {batch: 1, heads: 4, head_dim: 64, seq_len: 2048}
sweep: {kernel: [naive, flash, math]}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder, and what was printed."""
    folder = tmp_path_factory.mktemp("profiled")
    (folder / "two.yaml").write_text(SCENARIO)
    out = io.StringIO()
    with redirect_stdout(out):
        words = ["profile", str(folder / "two.yaml"), "-k", "kernel=naive,flash", "-o", str(folder / "out")]
        assert exit_code([*words, "--device", "cpu"]) == 0
    return folder / "out", out.getvalue()


def test_tables_and_files(made: tuple[Path, str]) -> None:
    folder, out = made
    assert {"trace-1.json", "trace-2.json", "profile.json", "memory.svg"} == {path.name for path in folder.iterdir()}
    assert "aten::bmm" in out and "flash" in out and "Python and dispatch" in out
    assert "difference" in out and str(folder / "trace-2.json") in out


@pytest.mark.parametrize("number", [1, 2])
def test_a_trace_is_what_perfetto_opens_and_its_operators_add_up_to_the_span(
    made: tuple[Path, str], number: int
) -> None:
    """Chrome's trace event format: complete events have a start and a duration in µs, a process and a thread.

    The span is read back from the trace, the operators come from torch's own sums. At 2048 tokens a call takes a
    hundred times as long as the Python between its operators, on a busy machine too.
    """
    folder, _ = made
    trace: dict[str, Any] = json.loads((folder / f"trace-{number}.json").read_text())
    events = trace["traceEvents"]
    complete = [event for event in events if event["ph"] == "X"]
    assert complete
    for event in complete:
        assert isinstance(event["name"], str) and {"pid", "tid"} <= event.keys()
        assert float(event["ts"]) >= 0 and float(event["dur"]) >= 0
    assert all("ph" in event and "name" in event for event in events)
    span = sum(event["dur"] for event in complete if event["name"] == CALL) / 1e6
    found = json.loads((folder / "profile.json").read_text())["profiles"][number - 1]
    assert found["span_seconds"] == pytest.approx(span, rel=0.01)
    operators = sum(one["seconds"] for one in found["operators"])
    assert operators + found["between_seconds"] == pytest.approx(span, rel=0.05)
    assert min(map(gaps, calls(complete))) < 0.05  # in the call that other programs disturbed least, operators alone


def calls(complete: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The range of each call with the operators inside, in order of time."""
    ranges = [one for one in complete if one["name"] == CALL]
    operators = sorted((one for one in complete if one.get("cat") == "cpu_op"), key=lambda one: one["ts"])
    return [
        [each, *(one for one in operators if each["ts"] <= one["ts"] < each["ts"] + each["dur"])] for each in ranges
    ]


def gaps(call: list[dict[str, Any]]) -> float:
    """The share of a call that is in no operator."""
    whole, *operators = call
    covered, end = 0.0, whole["ts"]
    for one in operators:
        last = one["ts"] + one["dur"]
        covered += max(0.0, last - max(end, one["ts"]))
        end = max(end, last)
    return float(1 - covered / whole["dur"])


def test_what_naive_attention_holds_at_its_peak_is_its_scores(made: tuple[Path, str]) -> None:
    naive, flash = json.loads((made[0] / "profile.json").read_text())["profiles"]
    assert naive["peak_bytes"] >= 2 * 4 * 512 * 512 * 4 > flash["peak_bytes"] > 0
    assert naive["peak_bytes"] == max(size for _, size in naive["allocations"])
    at = [point[0] for point in naive["allocations"]]
    assert at == sorted(at)


def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str], made: tuple[Path, str]) -> None:
    (tmp_path / "two.yaml").write_text(SCENARIO)
    words = ["profile", str(tmp_path / "two.yaml"), "--device", "cpu"]
    assert exit_code(words) == 2
    assert "3 cases are selected" in capsys.readouterr().err
    assert exit_code([*words, "-k", "kernel=flash", "-o", str(made[0])]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert exit_code([*words, "-k", "kernel=naiv"]) == 2
