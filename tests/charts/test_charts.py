"""Which charts a run has, what stands together, and what is drawn."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tbench.analysis.run import Run
from tbench.analysis.statistics import Interval
from tbench.charts import draw, terminal
from tbench.charts.groups import FEW, grouped
from tbench.charts.length import latency
from tbench.charts.model import Chart, Panel
from tbench.charts.ratios import MOST, Judged, verdicts
from tbench.charts.run import charts, pictures, write_pictures
from tbench.charts.samples import samples
from tbench.errors import UsageError
from tbench.report import render, write_derived
from tbench.store import RunFolder
from tests.page.runs import NAMES, hostile, modern, run_of, sweep
from tests.synthetic import ENVIRONMENT, attention, header, ok

SUITE = Path(__file__).parents[2] / "results/cpu-2core/document"


@pytest.fixture(scope="module")
def suite() -> Run:
    return Run.read(SUITE)


def panel(run: Run, name: str) -> Panel:
    return next(chart for chart in charts(run) if chart.name == name).panels[0]


def test_cases_stand_with_what_they_are_compared_with(suite: Run) -> None:
    groups = grouped(suite.rows)
    timed = [row for row in suite.rows if row.latency is not None]
    assert sum(len(group.rows) for group in groups) == len(timed)  # each case once
    assert len({group.name for group in groups}) == len(groups)
    for group in groups:
        assert all(len({row.measurement.case["seq_len"] for row in line}) == len(line) for line in group.lines.values())
        baselines = {row.measurement.baseline for row in group.rows if row.measurement.baseline}
        assert len({base.split("seq_len=")[0] for base in baselines}) <= 2 or len(group.lines) <= FEW


def test_the_slope_is_the_power_that_times_grow_with() -> None:
    records = panel(run_of(sweep({"naive": 2.0, "flash": 1.5})), "latency").records
    for name, power in (("naive", 2.0), ("flash", 1.5)):
        line = [record for record in records if record["line"] == name]
        told = float(line[0]["slope"].split()[0].removeprefix("n^"))
        assert told == pytest.approx(power, abs=0.03)
        first, last = line[0], line[-1]
        fitted = math.log(last["fitted_ms"] / first["fitted_ms"]) / math.log(last["size"] / first["size"])
        assert fitted == pytest.approx(power, abs=0.03)


def test_a_figure_that_is_too_noisy_to_print_is_not_drawn() -> None:
    measured = sweep({"naive": 2.0})
    noisy = run_of(measured)
    rows = [replace(row, too_wide=frozenset({"latency"})) if i == 1 else row for i, row in enumerate(noisy.rows)]
    drawn = latency(grouped(rows))[0].panels[0].records
    assert [record["size"] for record in drawn] == [512, 2048, 4096]


def drawings(run: Run) -> Iterator[str]:
    for _, chart, panel in pictures(run):
        yield draw.svg(chart, panel)


@pytest.mark.parametrize("run", [modern(), hostile()], ids=["usual", "hostile names"])
def test_pictures_are_xml_and_the_same_every_time(run: Run) -> None:
    made = [*drawings(run)]
    assert made and made == [*drawings(run)]
    for drawing in made:
        root = ET.fromstring(drawing)
        assert root.tag.endswith("svg")
        assert not [
            one for one in root.iter() if one.tag.rpartition("}")[2] in ("script", "image", "a", "foreignObject")
        ]


def test_every_chart_can_be_drawn_in_both_languages(suite: Run) -> None:
    for chart in charts(suite):
        for language in ("en", "zh"):
            assert chart.title[language] in draw.svg(chart, chart.panels[0], language)
            assert chart.explained[language] and chart.panels[0].summary[language]


def test_a_large_comparison_shows_the_slowest_and_counts_the_rest() -> None:
    judged = [
        Judged(f"case {k}", f"case {k}", "OK", Interval(1 + k / 1000, 0.9, 1.2, 0.1, 5, 20)) for k in range(MOST + 5)
    ]
    found = verdicts([*judged, Judged("x", "x", "BROKEN", None)], 0.05)[0].panels[0]
    assert len(found.records) == MOST
    assert found.records[0]["line"] == f"case {MOST + 4}"
    assert "5 more" in found.summary.en
    assert verdicts([Judged("x", "x", "BROKEN", None)], 0.05) == []


def test_samples_keep_their_process(suite: Run) -> None:
    row = next(row for row in suite.rows if row.latency is not None)
    records = samples([row], ["case"])[0].panels[0].records
    rounds = {turn.round for turn in row.measurement.turns}
    assert len([record for record in records if record["role"] == "process"]) == len(rounds)


def stored(folder: Path) -> Run:
    with RunFolder.create(folder, {**header(), "environment": ENVIRONMENT.to_dict()}) as run:
        for measurement in sweep({"naive": 2.0, "flash": 1.5}):
            run.append(measurement)
        run.finish()
    return Run.read(folder)


def test_a_run_folder_has_its_pictures_and_the_report_shows_them(tmp_path: Path) -> None:
    run = stored(tmp_path)
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts/of-before.svg").write_text("<svg/>")
    assert write_derived(run) == ""
    names = {file.name for file in (tmp_path / "charts").iterdir()}
    assert names == {"latency.svg", "memory.svg", "roofline.svg"} or names == {"latency.svg", "memory.svg"}
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert all(f"](charts/{name})" in report for name in names)
    assert "![Latency by length. attention forward" in report


def test_a_run_is_complete_where_no_chart_can_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stored(tmp_path)

    def fail(*_: object) -> str:
        raise ValueError("no font")

    monkeypatch.setattr(draw, "svg", fail)
    assert write_derived(run) == "no charts in report.md: no font"
    assert "## Charts" not in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "results.csv").exists()


def test_without_the_library_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    draw.converter.cache_clear()
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    _, chart, panel = next(pictures(modern()))
    with pytest.raises(UsageError, match="pip install 'vl-convert-python"):
        draw.svg(chart, panel)
    draw.converter.cache_clear()


# ---------------------------------------------------------------------- the terminal


@pytest.mark.parametrize("width", [60, 100])
def test_the_terminal_shows_lines_and_keeps_inside_its_width(width: int) -> None:
    drawn = terminal.render(modern(), width, colour=False)
    assert "Latency by length" in drawn and "Peak memory by length" in drawn
    assert "flash" in drawn and "4096" in drawn
    assert "\x1b" not in drawn
    assert max(map(len, drawn.splitlines()[1:])) <= max(width, 60)
    assert "\x1b[" in terminal.render(modern(), width, colour=True)


def test_the_terminal_shows_the_ladder(suite: Run) -> None:
    drawn = terminal.render(suite, 80, colour=False)
    assert "2017" in drawn and "█" in drawn and "Loss by position" in drawn


def test_names_cannot_steer_a_terminal() -> None:
    run = run_of(sweep({"naive": 2.0, "x\x1b[2Jy\x07": 1.5}))
    drawn = terminal.render(run, 80, colour=False)
    assert "\x1b" not in drawn and "\x07" not in drawn


def test_a_run_without_lengths_says_what_charts_need() -> None:
    assert terminal.render(run_of([ok(attention("naive"), 1e-2, 1)]), 80, colour=False).startswith("no charts")


def test_names_in_pictures_are_plain_text() -> None:
    drawing = next(drawings(hostile()))
    assert NAMES[0] not in drawing and "&lt;script&gt;" in drawing


def test_pictures_that_no_longer_belong_go(tmp_path: Path) -> None:
    run = stored(tmp_path)
    write_pictures(run)
    fewer = Run(tmp_path, run.header, run.environment, run.measurements[:1])
    assert write_pictures(fewer) == [] or "latency.svg" not in write_pictures(fewer)
    assert not (tmp_path / "charts/latency.svg").exists()
    assert "latency.svg" not in render(fewer, "md")


def test_descriptions_name_no_user_text(suite: Run) -> None:
    """What users have written stands in values, where it is data; a description is the same for every run."""
    for one, other in zip(of_kind(charts(modern())), of_kind(charts(hostile())), strict=True):
        assert one.describe("en") == other.describe("en")


def of_kind(found: list[Chart]) -> list[Chart]:
    return [chart for chart in found if chart.name in ("latency", "memory", "speedup", "roofline", "samples")]
