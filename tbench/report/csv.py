"""results.csv: the columns of the contract, full precision, empty where there is no figure."""

from __future__ import annotations

import csv
from io import StringIO

from tbench.analysis.frame import columns, row_cells
from tbench.analysis.run import Run
from tbench.records import text
from tbench.tables.printable import printable


def render(run: Run) -> str:
    """One line per case, in the order of `docs/results.md`; truth values as `true` and `false`."""
    names = columns(run.rows)
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in run.rows:
        cells = row_cells(row)
        writer.writerow("" if (value := cells.get(name)) is None else printable(text(value)) for name in names)
    return out.getvalue()
