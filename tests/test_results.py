"""Nothing is typed by hand: committed reports and tables follow from the committed measurements."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import pytest

from tbench.analysis.run import Run
from tbench.charts.draw import svg
from tbench.charts.run import FOLDER, pictures
from tbench.claims import Assessment, article, assess, overview
from tbench.claims.formats import FILES, markdown
from tbench.claims.verdict import Verdict
from tbench.cli.calibrate import lines
from tbench.gate.calibration import SUMMARY, read_trials, summarised
from tbench.gate.decision import Rule
from tbench.report import DERIVED, render

ROOT = Path(__file__).parents[1]
COMMITTED = ("cpu-2core", "gpu-h100")  # beside them lie the runs of whoever tests
RUNS = sorted(file.parent for place in COMMITTED for file in (ROOT / "results" / place).glob("*/run.json"))
CALIBRATIONS = sorted(file.parent for file in (ROOT / "results/calibration").glob("*/calibration.json"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


@functools.cache
def read(folder: Path) -> Run:
    return Run.read(folder)


@functools.cache
def assessed(folder: Path) -> list[Assessment]:
    return assess(article(), [read(folder)])


def block(source: str, text: str = README) -> str:
    """What a page shows between the comment that names its source and the end."""
    found = re.search(rf"<!-- from {re.escape(source)}; a test compares them -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert found is not None
    return found[1].removeprefix("```text\n").removesuffix("```\n")


def test_there_are_runs() -> None:
    assert {"attention", "document", "kv_sharing", "sparse"} <= {run.name for run in RUNS}


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_reports_are_what_the_measurements_give(folder: Path) -> None:
    run = read(folder)
    # A machine that was lent had to be given back: the table says that the run was interrupted.
    cut = folder.parent.name == "gpu-h100"
    assert run.header["status"] == ("interrupted" if cut else "complete")
    for name, format in DERIVED.items():
        assert (folder / name).read_text(encoding="utf-8") == render(run, format)


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_pictures_are_what_the_measurements_give(folder: Path) -> None:
    made = {f"{name}.svg": svg(chart, panel) for name, chart, panel in pictures(read(folder))}
    assert made == {file.name: file.read_text(encoding="utf-8") for file in (folder / FOLDER).glob("*.svg")}


def test_the_readme_shows_pictures_that_are_there() -> None:
    shown = re.findall(r"!\[[^]]+\]\(([^)]+\.svg)\)", README)
    assert len(shown) >= 3
    assert [name for name in shown if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    "folder",
    [run for run in RUNS if (run / "table.md").exists()],
    ids=lambda folder: f"{folder.parent.name}/{folder.name}",
)
def test_tables_are_what_the_measurements_give(folder: Path) -> None:
    run = read(folder)
    for name, language in FILES.items():
        made = markdown(article(), assessed(folder), language, [run])
        assert (folder / name).read_text(encoding="utf-8") == made


def test_another_seed_turns_nothing_that_is_confirmed_into_refuted_or_back() -> None:
    folders = [ROOT / "results/cpu-2core" / name for name in ("document", "document-seed-0")]
    assert len({read(folder).header["seed"] for folder in folders}) == 2
    first, second = map(assessed, folders)
    opposite = {Verdict.CONFIRMED, Verdict.REFUTED}
    for one, other in zip(first, second, strict=True):
        assert {one.verdict, other.verdict} != opposite, one.claim.id
        for here, there in zip(one.results, other.results, strict=True):
            assert {here.verdict, there.verdict} != opposite, (one.claim.id, here.regime.name.en)
    for every in (first, second):
        assert sum(one.verdict not in (Verdict.INCONCLUSIVE, Verdict.NOT_MEASURED) for one in every) >= 14
        assert {one.claim.id for one in every if one.verdict is Verdict.NOT_MEASURED} <= {"C4", "C21"}


@pytest.mark.parametrize("folder", CALIBRATIONS, ids=lambda folder: folder.name)
def test_calibrations_are_what_the_trials_give(folder: Path) -> None:
    content = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    summary = summarised(read_trials(folder), Rule())
    assert {name: content[name] for name in summary.to_dict()} == json.loads(json.dumps(summary.to_dict()))


def test_the_ci_guide_shows_what_was_calibrated() -> None:
    folder = ROOT / "results/calibration/gate"
    guide = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    shown = block("results/calibration/gate", guide).split("\n")
    assert [line for line in shown if line] == lines(summarised(read_trials(folder), Rule()))


def test_the_readme_shows_them() -> None:
    folder = ROOT / "results/cpu-2core/document"
    shown = overview.text(article(), assessed(folder), "en", [read(folder)], 100)
    assert block("tbench table results/cpu-2core/document") == shown
    report = render(read(ROOT / "results/cpu-2core/attention"), "text")
    assert block("tbench report results/cpu-2core/attention") == report
