"""A run in the formats of other tools: one file per format, each a function from a run to text.

All of them are ASCII, other characters escaped as the format has it: they are read by machines, and no locale on the
way can spoil them. What could not be had is left out, never 0.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from tbench.tables.formats import chosen

if TYPE_CHECKING:
    from tbench.analysis.run import Run

FORMATS = {  # format to module
    "pyperf": "pyperf",
    "github-action": "github_action",
    "bmf": "bmf",
    "junit": "junit",
    "google-benchmark": "google_benchmark",
}
EVERY_CASE = frozenset({"junit"})  # has a place for cases without a latency; the others leave them out


def exporter(format: str) -> Callable[[Run], str]:
    """The function that writes a run in `format`. Raises UsageError where there is none."""
    make: Callable[[Run], str] = import_module(f"{__name__}.{chosen(format, FORMATS)}").render
    return make
