"""The pages of a comparison and of a gate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tbench.analysis.statistics import Interval
from tbench.cli import exit_code
from tbench.comparison.compare import compare
from tbench.comparison.model import Verdict
from tbench.errors import StoreError
from tbench.gate.folder import read, write
from tbench.gate.outcome import Outcome, Result
from tbench.page import compared, gated
from tests.page.runs import modern, run_of, sweep
from tests.page.test_page import Reader, column, payload

CASE = "attention/forward device=cpu dtype=float32 seq_len={} kernel={}"
SLOW = Outcome(
    CASE.format(1024, "flash"),
    Verdict.SLOWER,
    "more than 5.0% slower, confirmed in 8 fresh pairs",
    ratio=Interval(1.12, 1.09, 1.15, 0.03, 8, 16),
    base_seconds=1e-2,
    new_seconds=1.12e-2,
    base_bytes=2**20,
    new_bytes=2**20,
    file="perf/attention.yaml",
    line=7,
)
FINE = Outcome(
    CASE.format(2048, "flash"),
    Verdict.OK,
    ratio=Interval(1.0, 0.98, 1.02, 0.02, 8, 16),
    base_seconds=1e-2,
    new_seconds=1e-2,
)
GONE = Outcome(CASE.format(2048, "</script><b>"), Verdict.BROKEN, "wrong: <b>error</b>")
RESULT = Result("mine", "perf/attention.yaml", "main", "the working tree", 0.05, 0.01, (SLOW, FINE, GONE), control=FINE)


def test_a_gate_shows_each_ratio_and_verdict() -> None:
    page = gated.render(RESULT)
    data = payload(page)
    chart = data["charts"]["ratios"]
    assert column(data, chart["columns"]["ratio"]) == [1.12, 1.0]
    assert column(data, chart["columns"]["ratio_low"]) == [1.09, 0.98]
    assert set(column(data, chart["columns"]["limit"])) == {1.05}
    assert column(data, data["cases"]["statuses"]) == ["SLOWER", "OK", "BROKEN"]
    assert column(data, data["cases"]["notes"])[0] == "perf/attention.yaml:7"
    words = "".join(Reader(page).words)
    assert "Broken." in words and "有用例失败。" in words and "main → the working tree" in words
    assert not Reader(page).of("b")[1:]  # the one of the page itself


def test_a_gate_is_read_back_from_its_folder(tmp_path: Path) -> None:
    write(tmp_path, RESULT)
    assert read(tmp_path) == RESULT
    out = tmp_path / "page.html"
    assert exit_code(["report", str(tmp_path), "--format", "html", "-o", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == gated.render(RESULT)
    write(tmp_path, None)
    with pytest.raises(StoreError, match="no verdict"):
        read(tmp_path)
    (tmp_path / "gate.json").write_text(json.dumps([]))
    with pytest.raises(StoreError, match="cannot be read"):
        read(tmp_path)


def test_a_comparison_shows_both_sides() -> None:
    base, new = modern(), run_of(sweep({"naive": 2.0, "flash": 1.72}))
    comparison = compare(base, new)
    data = payload(compared.render(comparison))
    names = [one["name"] for one in data["cases"]["columns"]]
    ratios = column(data, data["cases"]["columns"][names.index("ratio")]["values"])
    assert ratios == [row.ratio.estimate if row.ratio else None for row in comparison.rows]
    assert column(data, data["cases"]["ids"]) == [row.case.id for row in comparison.rows]
    assert "MISSING" in column(data, data["cases"]["statuses"])


def test_compare_writes_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = ["results/cpu-2core/growth-forward", "results/cpu-2core/growth-forward"]
    out = tmp_path / "compare.html"
    assert exit_code(["compare", *runs, "--format", "html", "-o", str(out)]) == 0
    assert "<!DOCTYPE html>" in out.read_text(encoding="utf-8")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert exit_code(["compare", *runs, "--format", "html"]) == 2
    assert "-o compare.html" in capsys.readouterr().err
