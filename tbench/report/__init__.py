"""Reports of a run: one file per format over one table model."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from tbench.charts.run import write_pictures
from tbench.store import write_file
from tbench.tables.formats import chosen

if TYPE_CHECKING:
    from tbench.analysis.run import Run

DERIVED = {"results.csv": "csv", "report.md": "md"}
FORMATS = {"text": "text", "md": "markdown", "csv": "csv", "json": "json"}  # format to module


def render(run: Run, format: str) -> str:
    """The report of `run` as `text`, `md`, `csv` or `json`. Raises UsageError for any other format."""
    return renderer(format)(run)


def renderer(format: str) -> Callable[[Run], str]:
    """The function that makes reports of `format`. Raises UsageError where there is none."""
    make: Callable[[Run], str] = import_module(f"{__name__}.{chosen(format, FORMATS)}").render
    return make


def write_derived(run: Run) -> str:
    """Write `results.csv`, the charts and `report.md` into the run folder, in place of older ones. Raises StoreError.

    Returns why there are no charts, and nothing where there are: a run is complete without them.
    """
    problem = ""
    try:
        write_pictures(run)
    except Exception as error:  # whatever a library for drawing raises, what was measured is reported
        problem = f"no charts in report.md: {error}"
    for name, format in DERIVED.items():
        write_file(run.folder / name, render(run, format))
    return problem
