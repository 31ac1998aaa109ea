"""Nothing is typed by hand: committed reports and tables follow from the committed measurements."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tbench.analysis.run import Run
from tbench.claims import article, assess
from tbench.claims.derived import FILES
from tbench.claims.formats import markdown
from tbench.report import DERIVED, render

ROOT = Path(__file__).parents[1]
RUNS = sorted(file.parent for file in (ROOT / "results").glob("*/*/run.json"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(source: str) -> str:
    """What the README shows between the comment that names its source and the end."""
    found = re.search(rf"<!-- from {re.escape(source)}; a test compares them -->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert found is not None
    return found[1].removeprefix("```text\n").removesuffix("```\n")


def test_there_are_runs() -> None:
    assert {"attention", "document", "kv_sharing", "sparse"} <= {run.name for run in RUNS}


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_reports_are_what_the_measurements_give(folder: Path) -> None:
    run = Run.read(folder)
    assert run.header["status"] == "complete"
    for name, format in DERIVED.items():
        assert (folder / name).read_text(encoding="utf-8") == render(run, format)


@pytest.mark.parametrize(
    "folder",
    [run for run in RUNS if (run / "table.md").exists()],
    ids=lambda folder: f"{folder.parent.name}/{folder.name}",
)
def test_tables_are_what_the_measurements_give(folder: Path) -> None:
    run = Run.read(folder)
    for name, language in FILES.items():
        made = markdown(article(), assess(article(), [run]), language, [run])
        assert (folder / name).read_text(encoding="utf-8") == made


def test_the_readme_shows_them() -> None:
    table = (ROOT / "results/cpu-2core/document/table.md").read_text(encoding="utf-8")
    shown = block("results/cpu-2core/document/table.md")
    assert shown.count("\n|") >= 7
    assert shown in table
    report = render(Run.read(ROOT / "results/cpu-2core/attention"), "text")
    assert block("tbench report results/cpu-2core/attention") == report
