"""Where a case comes from: the file and the line that ask for it, for whoever must change something there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tbench.catalog import get as get_component
from tbench.gate.checkout import from_root
from tbench.gate.outcome import Outcome
from tbench.records import Case
from tbench.scenario import Scenario


def located(outcomes: Iterable[Outcome], scenario: Scenario, cases: Iterable[Case]) -> list[Outcome]:
    """The outcomes with their file and line. A case that the scenario has not got any more has neither."""
    found = {case.id: spot(scenario, case) for case in cases if scenario.has(case)}
    names = {path: from_root(path) for path in {path for path, _ in found.values()}}
    return [
        replace(one, file=names[found[one.case][0]], line=found[one.case][1]) if one.case in found else one
        for one in outcomes
    ]


def spot(scenario: Scenario, case: Case) -> tuple[str, int]:
    """The file, of a suite the part's own, and in it the line of the case's variants, or of the sweep."""
    part = next((part for part in scenario.parts or (scenario,) if part.has(case)), scenario)
    axis = get_component(case.component).variant_axis
    return part.path, part.lines.get(axis, part.lines.get("sweep", 1))
