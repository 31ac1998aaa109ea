"""The table, every claim and how a verdict came about, as a reader sees them."""

from __future__ import annotations

import csv
import io
import json
import math
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from tbench.analysis.run import Run
from tbench.claims import article, assess, formats
from tbench.claims.assess import Judged
from tbench.claims.command import commands, selection_terms
from tbench.claims.model import LANGUAGES, Language
from tbench.claims.render import explain, sources
from tbench.claims.verdict import Estimate
from tbench.claims.words import amount, span
from tbench.cli.table import newest, table
from tbench.errors import StoreError, UsageError
from tbench.scenario import expand, load
from tests.claims.runs import arm, case, found, pair, run_of
from tests.synthetic import ENVIRONMENT, decode, header

SCENARIOS = Path(__file__).parents[2] / "scenarios"


@pytest.fixture
def run() -> Run:
    counted = [
        found(
            case("kv", "decode", seq_len=2048, layers=1, heads=8, kv_heads=n, cache="full"),
            matrices=8 + 2 * n,
            kv_cache_bytes=n,
        )
        for n in (8, 2, 1)
    ]
    trained = [
        arm("ladder", name, losses)
        for name, losses in {
            "+rmsnorm": [2.0, 2.1, 2.2],
            "+swiglu": [1.9, 2.0, 2.15],
            "-swiglu": [2.0, 2.1, 2.2],
            "2024": [1.9, 2.0, 2.15],
        }.items()
    ]
    timed = [one for n, ms in ((512, 1.6), (1024, 3.0), (2048, 8.0)) for one in pair(n, ms / 1e3, 1e-3)]
    return run_of([*timed, *decode(), *counted, *trained], "--quick", "-o", "results/x")


@pytest.mark.parametrize("language", LANGUAGES)
def test_text(run: Run, language: Language, snapshot: SnapshotAssertion) -> None:
    assert formats.text(article(), assess(article(), [run]), language, [run], 140) == snapshot


@pytest.mark.parametrize("language", LANGUAGES)
def test_markdown(run: Run, language: Language, snapshot: SnapshotAssertion) -> None:
    assert formats.markdown(article(), assess(article(), [run]), language) == snapshot


@pytest.mark.parametrize("id", ["C6", "C9", "C15", "C17"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_explain(run: Run, id: str, language: Language, snapshot: SnapshotAssertion) -> None:
    one = next(one for one in assess(article(), [run]) if one.claim.id == id)
    assert explain(one, language) == snapshot


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("language", LANGUAGES)
def test_text_keeps_inside_its_width(run: Run, width: int, language: Language) -> None:
    shown = formats.text(article(), assess(article(), [run]), language, [run], width)
    assert max(map(cell_len, shown.splitlines())) <= width


def test_csv_has_the_seven_rows(run: Run) -> None:
    rows = list(csv.reader(io.StringIO(formats.csv(article(), assess(article(), [run]), "zh"))))
    assert rows[0] == ["id", "组件", "原始Transformer", "2024年改进版", "好处", "实测", "判定", "overall"]
    assert [row[0] for row in rows[1:]] == [row.id for row in article().rows]
    assert {row[0]: row[-1] for row in rows[1:]}["kv"] == "confirmed"
    assert all(row[5] and row[6] for row in rows[1:])


def test_json_holds_everything_in_full_precision(run: Run) -> None:
    document = json.loads(formats.json(article(), assess(article(), [run]), "en"))
    nine = next(one for one in document["claims"] if one["id"] == "C9")
    first = nine["regimes"][0]["observations"][0]
    rows = {row.measurement.case.id: row for row in run.rows}
    speedup = rows[first["cases"][1]].speedup
    assert speedup is not None and first["value"] == speedup.estimate
    assert len(document["rows"]) == 7 and len(document["claims"]) == 23


def test_json_has_no_infinity(run: Run) -> None:
    def endless(one: Judged) -> Judged:
        return replace(
            one, observation=replace(one.observation, estimate=Estimate(math.inf, 1.4, math.inf, 6, "seeds"))
        )

    nine = next(one for one in assess(article(), [run]) if one.claim.id == "C9")
    results = tuple(replace(one, judged=tuple(map(endless, one.judged))) for one in nine.results)
    assessments = [replace(one, results=results) if one.claim.id == "C9" else one for one in assess(article(), [run])]
    document = json.loads(
        formats.json(article(), assessments, "en"), parse_constant=lambda name: pytest.fail(f"{name} is not JSON")
    )
    (claim,) = [one for one in document["claims"] if one["id"] == "C9"]
    first = claim["regimes"][0]["observations"][0]
    assert (first["value"], first["low"], first["high"]) == (None, 1.4, None)


def test_only_figures_read_in_the_source_stand_beside_a_verdict(run: Run) -> None:
    for one in assess(article(), [run]):
        told = explain(one, "en")
        for published in one.claim.published:
            assert (published.figure in told) == (published.mark == "V")
            assert published.mark != "V" or published.hardware in told


def test_every_claim_without_a_measurement_names_a_command() -> None:
    for one in assess(article(), []):
        for result in one.results:
            (command,) = commands(result)
            assert command == f"tbench run {result.regime.scenario}"


def test_the_command_repeats_the_run_for_these_cases_alone(run: Run) -> None:
    nine = next(one for one in assess(article(), [run]) if one.claim.id == "C9")
    (command,) = commands(nine.results[0])
    words = shlex.split(command)
    assert words[:4] == ["tbench", "run", "scenarios/attention.yaml", "--quick"]
    assert "-o" not in words
    assert words[4] == "-k" and "phase=forward_backward" in words[5].split()


@pytest.mark.parametrize("wanted", ["kernel=flash seq_len=1024,4096", "pattern=window:256", "seq_len=512 kernel=naive"])
def test_terms_are_understood_by_run_and_take_what_was_chosen(wanted: str) -> None:
    scenario = load(SCENARIOS / "attention.yaml")
    every, chosen = expand(scenario), expand(scenario, select=[wanted])
    terms = selection_terms(chosen, every)
    assert terms
    assert expand(scenario, select=[" ".join(terms)]) == chosen


def test_no_terms_where_everything_was_used() -> None:
    every = expand(load(SCENARIOS / "attention.yaml"))
    assert selection_terms(every, every) == []


def exact(*values: float) -> list[Estimate]:
    return [Estimate.exactly(value) for value in values]


def test_amounts() -> None:
    assert amount("speedup", Estimate(6.93, 6.71, 7.12, 5, "rounds")) == "6.9× [6.7, 7.1]"
    assert amount("saved", Estimate.exactly(0.75)) == "75% less"
    assert amount("saved", Estimate.exactly(-0.25), "zh") == "多25%"
    assert amount("memory_ratio", Estimate.exactly(3.25)) == "÷ 3.25"
    assert amount("memory_ratio", Estimate.exactly(0.8)) == "× 1.25"
    assert amount("seed_ratio", Estimate(0.84, 0.81, 0.87, 6, "seeds")) == "× 1.19 [1.15, 1.23]"
    assert amount("seed_ratio", Estimate(0.0, 0.0, 0.95, 6, "seeds")) == "× ∞ [1.05, ∞]"
    assert amount("seed_ratio", Estimate(math.inf, 1.4, math.inf, 6, "seeds")) == "÷ ∞ [1.40, ∞]"
    assert amount("number", Estimate.exactly(24)) == "24"
    assert amount("number", Estimate.exactly(3.2e-6)) == "3.2e-06"
    assert (
        amount("loss_difference", Estimate(-0.0132, -0.0201, -0.0063, 5, "seeds"))
        == "loss +0.013 nats [+0.006, +0.020]"
    )
    assert amount("speedup", Estimate(3.0, None, None, 1, "rounds")) == "3×"
    assert amount("seed_ratio", Estimate.exactly(float("inf"))) == "÷ ∞"
    assert amount("loss_difference", Estimate(0.0132, 0.0063, 0.0201, 5, "seeds"), "zh") == (
        "损失 −0.013 nats [−0.020, −0.006]"
    )
    assert amount("extrapolation_gain", Estimate(2.7, 2.5, 2.9, 5, "seeds")) == "perplexity ÷ 2.7 [2.5, 2.9]"
    assert amount("share_difference", Estimate(0.75, 0.2, 1.0, 8, "runs")) == "80 points fewer [20, 100]"
    assert amount("share_difference", Estimate(-0.2, -0.5, 0.1, 8, "runs")) == "20 points more [−10, 50]"
    assert amount("number", Estimate.whether(True)) == "yes" and amount("number", Estimate.whether(False), "zh") == "否"
    assert span("saved", exact(0.5, 0.875)) == "50–87.5% less"
    assert span("saved", exact(0.75, 0.75)) == "75% less"
    assert span("memory_ratio", exact(0.5, 0.8)) == "× 1.25–2"
    assert span("memory_ratio", exact(0.5, 4)) == "× 2 to ÷ 4"
    assert span("saved", exact(-0.25, 0)) == "0–25% more"
    assert span("saved", exact(-0.5, -0.25)) == "25–50% more"
    assert span("saved", exact(-0.5, 0.25)) == "50% more to 25% less"
    assert span("saved", exact(-0.5, 0.25), "zh") == "多50%～少25%"
    assert span("number", exact(-2, -1)) == "−2 to −1"


def test_the_verb_prints_the_table_and_refuses_what_it_does_not_know(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where no run is found
    assert table([], "zh", "md") == 0
    assert "| 注意力 | 全 → 稀疏 | 速度↑ | — |" in capsys.readouterr().out
    assert table([], "zh", "md", details=True) == 0
    assert "| 注意力 | 全注意力 | 稀疏注意力/GQA | 速度↑，显存↓ |" in capsys.readouterr().out
    assert table([], explain="c9") == 0
    assert capsys.readouterr().out.startswith("C9  Flash Attention is 2 to 4 times as fast.")
    with pytest.raises(UsageError, match="--lang fr: unknown language"):
        table([], "fr")
    with pytest.raises(UsageError, match="--format pdf: unknown format; choose from text, md, csv, json, html"):
        table([], format="pdf")
    for details in (False, True):
        assert table([], format="html", details=details) == 0
        assert capsys.readouterr().out.startswith("<!DOCTYPE html>")
    with pytest.raises(UsageError, match=r"--explain C99: no such claim \(choose from C1, C2"):
        table([], explain="C99")
    with pytest.raises(StoreError):
        table(["no/such/folder"])


def test_without_runs_the_newest_suite_is_taken_and_what_cannot_be_read_passed_over(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parts = {"parts": [{"name": "attention"}]}
    for name, started, scenario in (
        ("old-suite", "2026-01-01T00:00:00+00:00", parts),
        ("suite", "2026-01-02T00:00:00+00:00", parts),
        ("other", "2026-01-03T00:00:00+00:00", {"name": "attention"}),
    ):
        head = {**header(), "environment": ENVIRONMENT.to_dict(), "scenario": scenario, "started": started}
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "run.json").write_text(json.dumps(head))
    (tmp_path / "results" / "torn").mkdir()
    (tmp_path / "results" / "torn" / "run.json").write_text("{")
    assert newest(Path("results")) == ["results/suite"]
    assert "table of results/suite" in capsys.readouterr().err


def test_where_it_was_measured_stands_above_the_table(run: Run) -> None:
    (line,) = sources([run], "en")
    assert line == "Example 9000 Processor, 2 threads, torch 2.13.0, 2026-01-02 (attention, quick)"
    other = replace(
        run, environment=replace(run.environment, threads=16), header={**run.header, "status": "interrupted"}
    )
    first, second, warning = sources([run, other], "zh")
    assert first in formats.markdown(article(), assess(article(), [run]), "zh", [run])
    assert "16线程" in second and "未完成：interrupted" in second and "不同的机器" in warning
