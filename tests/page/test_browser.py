"""The page in a real browser: what it draws, how it is used, and that it asks nobody for anything."""

from __future__ import annotations

import csv
import io
from itertools import compress
from pathlib import Path
from typing import Any

import pytest

from tbench.analysis.run import Run
from tbench.claims.ladder import ladders
from tbench.report import render as rendered
from tests.page.conftest import Browser
from tests.page.runs import NAMES, modern

MARKS = """
return [...document.querySelectorAll(`[data-chart="${arguments[0]}"] [role="graphics-symbol"]`)]
  .filter((mark) => mark.__data__?.tooltip).map((mark) => mark.__data__.datum)
"""
TIP = "const tip = document.getElementById('tip'); return tip.hidden ? null : tip.textContent"


def figures(run: Run) -> dict[str, dict[str, str]]:
    return {row["case"]: row for row in csv.DictReader(io.StringIO(rendered(run, "csv")))}


EVERY_PANEL = f"""
const marks = function () {{ {MARKS} }};
const found = {{}};
const {{ panels, charts }} = JSON.parse(document.getElementById("data").textContent).sections[given[0]];
for (const panel of panels) {{
  await tbench.choose(given[0], panel);
  for (const chart of charts)
    if (!document.querySelector(`[data-chart="${{chart}}"]`).hidden)
      (found[chart] ??= []).push(...marks(chart));
}}
return found;
"""


def drawn(browser: Browser, section: str) -> dict[str, list[dict[str, Any]]]:
    """The figures of every mark in a section, of all panels, by chart."""
    found: dict[str, list[dict[str, Any]]] = browser.wait(EVERY_PANEL, section)
    return found


def checked(marks: list[dict[str, Any]], rows: dict[str, dict[str, str]], *names: str) -> set[str]:
    """Compares figures with results.csv; the cases that were compared."""
    for one in marks:
        for name in names:
            text = rows[one["case"]][name]
            assert (one.get(name) is None) if text == "" else one[name] == pytest.approx(float(text), rel=1e-12)
    return {one["case"] for one in marks}


def test_every_chart_of_the_suite_shows_what_results_csv_has(browser: Browser, suite: Run, suite_page: Path) -> None:
    browser.open(suite_page)
    rows = figures(suite)
    by_length = drawn(browser, "length")
    latency = checked(by_length["latency"], rows, "latency_ms", "latency_ms_low", "latency_ms_high")
    memory = checked(by_length["memory"], rows, "peak_memory_bytes")
    speedup = checked(by_length["speedup"], rows, "speedup", "speedup_low", "speedup_high")
    roofline = checked(browser.run(MARKS, "roofline"), rows, "tflops", "limit_fraction")
    assert len(latency) > 150 and len(memory) > 150 and len(speedup) > 100
    printed = {row.measurement.case.id for row in suite.rows if row.printed_latency and row.tflops}
    assert roofline == printed and len(printed) > 150
    steps = drawn(browser, "evolution")["ladder"]
    told = [step.total.value for one in ladders([suite]) for step in one.steps if step.total]
    assert [one["total"] for one in steps if one["order"]] == told
    losses = {row.measurement.case.id: row.measurement.findings for row in suite.rows}
    for one in browser.run(MARKS, "positions"):
        found = losses[one["case"]]  # of every run; each seed is shown at the rate that the others chose
        of_seeds = [*compress(found[f"loss_at_{one['at']:g}"], found["chosen"])]
        assert one["loss"] == pytest.approx(sum(of_seeds) / len(of_seeds), rel=1e-12)
    assert browser.logged("browser") == []


def test_curves_and_samples_are_those_of_the_measurements(browser: Browser, suite: Run, suite_page: Path) -> None:
    browser.open(suite_page)
    measured = {row.measurement.case.id: row.measurement for row in suite.rows}
    for one in browser.run(MARKS, "curves"):
        found = measured[one["case"]].findings
        values = [
            run[steps.index(one["step"])]
            for run, steps in zip(found["curve_losses"], found["curve_steps"], strict=True)
        ]
        assert one["loss"] == pytest.approx(sum(values) / len(values), rel=1e-12)
    marks = browser.run(MARKS, "samples")
    samples = [one["sample"] for one in marks if "sample" in one]
    taken = [second * 1e3 for turn in measured[marks[0]["case"]].turns for second in turn.seconds]
    assert sorted(samples) == pytest.approx(sorted(taken), rel=1e-4)


@pytest.mark.parametrize("width", [390, 1280])
def test_it_asks_nobody_and_fits_its_width(browser: Browser, small_page: Path, width: int) -> None:
    browser.open(small_page, width)
    assert [one for one in browser.requests() if not one.startswith("data:")] == [small_page.as_uri()]
    assert browser.logged("browser") == []
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.run("return [...document.querySelectorAll('figure:not([hidden]) svg')].length") == 5


def test_cases_are_sorted_by_their_figures(browser: Browser, small_page: Path) -> None:
    browser.open(small_page)
    rows = figures(modern())
    ids = list(rows)

    def order() -> list[str]:
        return [
            ids[int(k)]
            for k in browser.run(
                "return [...document.querySelectorAll('#table tr[data-case]')].map((r) => r.dataset.case)"
            )
        ]

    assert order() == ids
    heading = "#table th:nth-child({}) button"
    names = [text.strip() for text in browser.texts("#table th")]
    latency = heading.format(names.index("latency") + 1)
    known = sorted((case for case in ids if rows[case]["latency_ms"]), key=lambda case: float(rows[case]["latency_ms"]))
    missing = [case for case in ids if not rows[case]["latency_ms"]]
    browser.click(latency)
    assert order() == known + missing
    assert browser.run("return document.querySelector('#table th[aria-sort]').ariaSort") == "ascending"
    browser.click(latency)
    assert order() == known[::-1] + missing  # what could not be had stays last
    assert browser.run("return document.querySelector('#table th[aria-sort]').ariaSort") == "descending"


def test_cases_are_filtered_as_on_the_command_line(browser: Browser, small_page: Path) -> None:
    browser.open(small_page)

    def shown() -> list[str]:
        ids = list(figures(modern()))
        return [
            ids[int(k)]
            for k in browser.run(
                "return [...document.querySelectorAll('#table tr[data-case]')].map((r) => r.dataset.case)"
            )
        ]

    browser.type("kernel=flash,auto seq_len=1024")
    assert [case.split("kernel=")[1] for case in shown()] == ["flash", "auto"]
    browser.type("seq_len=1024 segmentation")
    assert shown() == []
    assert "No case matches" in browser.texts("#table tbody")[0]
    browser.type("segmentation")
    assert len(shown()) == 1
    browser.type("")
    browser.run("const s = document.getElementById('status'); s.value = 'oom'; s.dispatchEvent(new Event('change'))")
    assert [case.split("kernel=")[1] for case in shown()] == ["naive"]


def test_a_row_unfolds_to_its_command(browser: Browser, small_page: Path) -> None:
    browser.open(small_page)
    browser.click("#table .open")
    assert browser.run("return document.querySelector('#table .open').getAttribute('aria-expanded')") == "true"
    assert "kernel=naive" in browser.texts(".detail code")[0]
    browser.click(".detail [data-copy]")
    browser.wait("await new Promise((go) => setTimeout(go, 200))")
    assert browser.texts(".detail [data-copy]") == ["Copied"]
    browser.click("#table .open")
    assert browser.texts(".detail") == []


def test_both_languages_and_every_theme(browser: Browser, small_page: Path) -> None:
    browser.open(small_page)
    title = "document.querySelector('[data-chart=latency] h3').innerText"
    axis = "document.querySelector('[data-chart=latency] svg').textContent"
    assert browser.run(f"return {title}") == "Latency by length"
    assert "sequence length" in browser.run(f"return {axis}")
    browser.click("#language")
    browser.ready("zh")
    assert browser.run(f"return {title}") == "延迟随长度的变化"
    assert "序列长度" in browser.run(f"return {axis}")
    assert "sequence length" not in browser.run(f"return {axis}")
    browser.click("#language")
    browser.ready("en")
    grounds = []
    for _ in range(3):
        grounds.append(browser.run("return getComputedStyle(document.body).backgroundColor"))
        browser.click("#theme")
    assert len(set(grounds)) == 2  # the system's own is one of the two
    assert browser.logged("browser") == []


def test_marks_are_read_with_the_keyboard(browser: Browser, small_page: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(small_page)
    assert browser.run(TIP) is None
    browser.run("document.querySelector('[data-chart=latency] [tabindex=\"0\"][role=graphics-symbol]').focus()")
    first = browser.run(TIP)
    assert "naive, 512:" in first and "attention/forward" in first
    browser.press(Keys.ARROW_RIGHT)
    second = browser.run(TIP)
    assert "naive, 1024:" in second
    browser.press(Keys.END)
    assert "auto, 4096:" in browser.run(TIP)
    browser.press(Keys.HOME, Keys.ESCAPE)
    assert browser.run(TIP) is None
    focusable = "return document.querySelectorAll('[data-chart=latency] [role=graphics-symbol][tabindex=\"0\"]').length"
    assert browser.run(focusable) == 1  # one stop for the Tab key


def test_marks_show_their_figures_on_hover(browser: Browser, small_page: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    browser.open(small_page)
    mark = browser.driver.find_elements(By.CSS_SELECTOR, "[data-chart=memory] [role=graphics-symbol][tabindex]")[0]
    browser.run("arguments[0].scrollIntoView({block: 'center'})", mark)
    browser.wait("await new Promise((go) => setTimeout(go, 300))")
    ActionChains(browser.driver).move_to_element(mark).perform()
    assert "naive, 512: " in browser.run(TIP)
    assert mark.get_attribute("aria-label").startswith("naive, 512: ")


def test_figures_of_a_chart_are_there_as_a_table(browser: Browser, small_page: Path) -> None:
    browser.open(small_page)
    browser.click("[data-chart=latency] details.data > summary")
    browser.wait("await new Promise((go) => setTimeout(go, 100))")
    assert browser.texts("[data-chart=latency] details.data th")[:3] == ["variant", "sequence length", "latency (ms)"]
    assert len(browser.texts("[data-chart=latency] details.data tbody tr")) == 13


def test_hostile_names_do_nothing(browser: Browser, hostile_page: Path) -> None:
    browser.open(hostile_page)
    assert browser.run("return window.attacked") is None
    assert browser.texts("h1") == [NAMES[1]]
    browser.click("#table .open")
    browser.type("script")
    assert browser.texts("#table tbody tr")
    assert browser.run("return [...document.querySelectorAll('main img, main script')].length") == 0
    assert browser.logged("browser") == []
