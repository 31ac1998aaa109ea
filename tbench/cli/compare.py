"""`tbench compare`: two finished runs, case by case."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from tbench.analysis.run import Run
from tbench.cli.output import STDOUT, put
from tbench.comparison import text
from tbench.comparison.compare import compare as compared
from tbench.comparison.grid import Grid, grids, projection
from tbench.comparison.model import Comparison
from tbench.comparison.outcome import failure
from tbench.comparison.render import FORMATS
from tbench.errors import UsageError
from tbench.tables.formats import chosen
from tbench.tables.text import UNLIMITED

FAIL_ON = "regression"
HTML = "html"


def compare(
    base: str,
    new: str,
    *,
    fail_on: str | None = None,
    tolerance: str = "5%",
    rows: str | None = None,
    cols: str | None = None,
    format: str = "text",
    output: str = "-",
) -> int:
    """Print the comparison of two run folders, or write it to the file `output`.

    Raises UsageError and StoreError; with `fail_on`, once everything is printed, what `comparison.outcome` finds.
    """
    if fail_on not in (None, FAIL_ON):
        raise UsageError(f"--fail-on {fail_on}: unknown value (choose {FAIL_ON})")
    accepted = share(tolerance)
    render = chosen(format, {**FORMATS, HTML: page})
    comparison = compared(Run.read(base), Run.read(new), accepted)
    wanted = projection(comparison, rows, cols)
    made = grids(comparison, wanted) if wanted else []
    if output == STDOUT and format == HTML and sys.stdout.isatty():
        raise UsageError("--format html is a page for a browser, not a terminal: write it to a file, -o compare.html")
    if output != STDOUT and format == "text":  # a file has neither width nor colours, whatever the terminal has
        put(text.render(comparison, made, UNLIMITED, colour=False), output)
    else:
        put(render(comparison, made), output)
    error = failure(comparison) if fail_on else None
    if error:
        raise error
    return 0


def page(comparison: Comparison, grids: Sequence[Grid]) -> str:
    from tbench.page.compared import render

    return render(comparison, grids)


def share(words: str) -> float:
    """`5%` or `0.05` as 0.05. Raises UsageError for anything that is not above 0 and at most 100%."""
    number = words.strip()
    try:
        value = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1 or (value == 1 and not number.endswith("%")):
        bare = f"; did you mean {number}%?" if 1 <= value <= 100 and not number.endswith("%") else ""
        raise UsageError(f"--tolerance {words}: write a share above 0 and up to 100%, such as 5% or 0.05{bare}")
    return value
