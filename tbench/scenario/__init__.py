"""What to measure: YAML scenarios read, validated with a place for every mistake, and expanded into cases.

    scenario = load("scenarios/attention.yaml", quick=True)
    cases = expand(scenario, "cpu", ["kernel=flash"])

Its modules are loaded when they are first used: `tbench list` needs the model presets only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tbench.scenario.loader import load as load
    from tbench.scenario.model import Scenario as Scenario
    from tbench.scenario.options import by_part as by_part
    from tbench.scenario.options import expand as expand

HOMES = {"load": "loader", "Scenario": "model", "by_part": "options", "expand": "options"}
__all__ = ["Scenario", "by_part", "expand", "load"]


def __getattr__(name: str) -> Any:
    if name in HOMES:
        return getattr(import_module(f"tbench.scenario.{HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
