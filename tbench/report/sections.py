"""The rows of a run in the parts they were measured in: a suite has many, each with its own few columns."""

from __future__ import annotations

from collections.abc import Sequence

from tbench.analysis.derive import Row
from tbench.analysis.run import Run


def sections(run: Run) -> list[tuple[str, Sequence[Row]]]:
    """Title and rows of each part, in the order measured; of a scenario without parts one, without a title.

    A run that does not record which case is of which part (an older one) is grouped by component.
    """
    scenario = run.header.get("scenario") or {}
    if not scenario.get("parts"):
        return [("", run.rows)]
    titles = {str(part.get("name")): str(part.get("title") or part.get("name")) for part in scenario["parts"]}
    found: dict[str, list[Row]] = {}
    for row in run.rows:
        case = row.measurement.case
        name = run.parts.get(case.id)
        found.setdefault(titles.get(name, name) if name else case.component, []).append(row)
    return list(found.items())
