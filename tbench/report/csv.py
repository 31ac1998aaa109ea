"""results.csv: the columns of the contract, full precision, empty where there is no figure."""

from __future__ import annotations

import csv
from io import StringIO

from tbench.analysis.frame import columns, row_cells
from tbench.analysis.run import Run
from tbench.records import Value, text
from tbench.tables.printable import cell


def render(run: Run) -> str:
    """One line per case, in the order of `docs/results.md`; truth values as `true` and `false`."""
    names = columns(run.rows)
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in run.rows:
        cells = row_cells(row)
        writer.writerow(_written(cells.get(name)) for name in names)
    return out.getvalue()


def _written(value: Value | None) -> str:
    return "" if value is None else cell(value) if isinstance(value, str) else text(value)
