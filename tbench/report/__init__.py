"""Reports of a run: one file per format over one table model."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

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


def write_derived(run: Run) -> None:
    """Write `results.csv` and `report.md` into the run folder, in place of older ones. Raises StoreError."""
    for name, format in DERIVED.items():
        write_file(run.folder / name, render(run, format))
