"""The results as JSON: one object per case, beside the environment they belong to."""

from __future__ import annotations

from tbench.analysis.frame import columns, row_cells
from tbench.analysis.run import Run
from tbench.store import SCHEMA_VERSION
from tbench.tables.json import dumps


def render(run: Run) -> str:
    """`{"schema_version", "run", "environment", "columns", "records"}`; a figure that could not be had is null."""
    names = columns(run.rows)
    records = [
        {**{name: cells.get(name) for name in names}, **({"findings": dict(found)} if found else {})}
        for cells, found in ((row_cells(row), row.measurement.findings) for row in run.rows)
    ]
    document = {
        "schema_version": SCHEMA_VERSION,
        "run": {name: value for name, value in run.header.items() if name != "schema_version"},
        "environment": run.environment.to_dict(),
        "columns": names,
        "records": records,
    }
    return dumps(document)
