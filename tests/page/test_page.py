"""What is in a page, without a browser."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tbench.analysis.run import Run
from tbench.claims import article, assess
from tbench.claims.model import LANGUAGES, Language
from tbench.cli import exit_code
from tbench.page import document, headline, run
from tbench.report import render as rendered
from tests.page.runs import NAMES, hostile, large, modern, run_of
from tests.synthetic import every_status


class Reader(HTMLParser):
    """Text and elements as a browser takes them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.within: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.within:
            del self.within[len(self.within) - 1 - self.within[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & {*self.within}:
            self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def payload(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def column(data: dict[str, Any], packed: dict[str, Any]) -> list[Any]:
    if "t" not in packed:
        return list(packed["v"])
    return [None if number is None else data["texts"][number] for number in packed["t"]]


def test_the_page_holds_everything_itself(small_page: Path) -> None:
    reader = Reader(small_page.read_text(encoding="utf-8"))
    assert not reader.of("link") and not reader.of("img") and not reader.of("iframe")
    assert all("src" not in script for script in reader.of("script"))
    policy = next(
        str(one["content"]) for one in reader.of("meta") if one.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy and "unsafe-eval" not in policy and "http" not in policy


def test_cases_are_those_of_results_csv(small_page: Path) -> None:
    data = payload(small_page.read_text(encoding="utf-8"))
    rows = list(csv.DictReader(io.StringIO(rendered(modern(), "csv"))))
    assert column(data, data["cases"]["ids"]) == [row["case"] for row in rows]
    names = []
    for one in data["cases"]["columns"]:
        if one["name"] not in rows[0]:
            continue
        names.append(one["name"])
        for value, row in zip(column(data, one["values"]), rows, strict=True):
            text = row[one["name"]]
            assert (value is None or value == "") if text == "" else str(value) == text or float(value) == float(text)
    assert {"latency_ms", "speedup", "peak_memory_bytes", "tflops", "status", "seq_len", "kernel"} <= {*names}


def test_every_case_has_the_command_that_selects_it(small_page: Path) -> None:
    data = payload(small_page.read_text(encoding="utf-8"))
    commands = column(data, data["cases"]["commands"])
    assert len(set(commands)) == len(commands)
    assert commands[0] == (
        "tbench run scenarios/attention.yaml -k seq_len=1024,4096,65536 -k 'seq_len=512 kernel=naive'"
    )


def test_a_chart_appears_only_where_the_run_has_its_figures() -> None:
    def charts(measured: Run) -> set[str]:
        return {chart.name for one in run.document(measured).sections for chart in one.charts}

    assert charts(modern()) == {"latency", "memory", "speedup", "roofline", "samples"}
    single = [one for one in every_status() if one.case["seq_len"] == 1024]
    assert charts(run_of(single)) == {"speedup", "roofline", "samples"}
    assert charts(run_of([one for one in every_status() if one.status != "ok"])) == set()
    assert run.render(run_of([]))


def test_hostile_names_are_text(hostile_page: Path) -> None:
    page = hostile_page.read_text(encoding="utf-8")
    reader = Reader(page)
    assert [one.get("type") or "" for one in reader.of("script")] == ["application/json", "", ""]
    assert not reader.of("img")
    words = "".join(reader.words)
    assert NAMES[1] in words  # the title, as it is
    assert "49 ${7}" not in page
    data = payload(page)
    cases = hostile()
    assert column(data, data["cases"]["ids"]) == [row.measurement.case.id for row in cases.rows]


def test_a_page_without_its_libraries_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from tbench.charts import draw
    from tbench.errors import UsageError

    draw.converter.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    with pytest.raises(UsageError, match="pip install 'vl-convert-python"):
        document.html(run.document(modern()))
    draw.converter.cache_clear()


def test_a_page_of_the_suite_is_small_enough_to_mail(suite_page: Path) -> None:
    assert suite_page.stat().st_size < 4e6


def test_samples_are_thinned_where_a_run_has_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tbench.charts.samples.MOST", 400)
    found = next(chart for one in run.document(modern()).sections for chart in one.charts if chart.name == "samples")
    panel = found.panels[0]
    kept = [record["ms"] for record in panel.records if record["role"] == "process"]
    assert all(len(one) < 20 for one in kept) and "Every" in panel.summary.en
    turns = modern().rows[0].measurement.turns
    slowest = max(second for turn in turns if turn.round == 0 for second in turn.seconds)
    assert max(kept[0]) == pytest.approx(slowest * 1e3, rel=1e-4)


def test_a_large_run_keeps_within_its_size() -> None:
    assert len(run.render(large(400))) < 1.9e6  # 5,000 cases: bench/page.py


def test_the_verb_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str], suite: Run) -> None:
    assert exit_code(["report", "results/cpu-2core/attention", "--format", "html", "-o", str(tmp_path / "a.html")]) == 0
    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert exit_code(["report", "results/cpu-2core/attention", "--format", "html"]) == 0
    assert capsys.readouterr().out == (tmp_path / "a.html").read_text(encoding="utf-8")
    assert exit_code(["report", "results/cpu-2core/attention", "--format", "htm"]) == 2
    assert "html" in capsys.readouterr().err
    assert exit_code(["report", "results/cpu-2core/attention", "--format", "html", "--plot"]) == 2


def test_a_page_is_written_beside_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = modern()
    here = Run(tmp_path, measured.header, measured.environment, measured.measurements)
    assert run.write(here) == ""
    assert (tmp_path / run.FILE).read_text(encoding="utf-8") == run.render(here)
    from tbench.charts import draw

    draw.converter.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    assert run.write(here).startswith("no report.html: charts need vl-convert-python")
    draw.converter.cache_clear()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_articles_table_is_a_page_of_its_own_without_scripts(language: Language) -> None:
    known = article()
    one = modern()
    attacked = Run(one.folder, one.header, replace(one.environment, device_name=NAMES[0]), one.measurements)
    page = Reader(headline.render(known, assess(known, [attacked]), language, [attacked]))
    assert page.of("html") == [{"lang": language}]
    assert not page.of("script") and not page.of("link") and not page.of("img")
    words = " ".join(page.words)
    assert NAMES[0] in words and known.title[language] in words
    for claim in known.claims:
        assert claim.says[language] in words
    assert len(page.of("table")) == 2
