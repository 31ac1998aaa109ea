"""tbench: benchmark and profiler for the parts of a Transformer.

    import tbench
    scenario = tbench.load("scenarios/attention.yaml", quick=True)
    run = tbench.run(scenario, out="results/mine")
    frame = tbench.read_run("results/mine")          # a pandas.DataFrame, the columns of results.csv

The command line uses the same three functions. A kernel that cannot run a case raises `Unsupported` with the reason; a
factory is given a `Problem`, the sizes of a case; `register` makes a factory a variant with a name. Every error that a
user can cause is a `TbenchError`. Importing tbench loads neither torch nor pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tbench.analysis.run import Run as Run
    from tbench.api import load as load
    from tbench.api import read_run as read_run
    from tbench.api import run as run
    from tbench.catalog import register as register
    from tbench.components.problem import Problem as Problem
    from tbench.errors import Interrupted as Interrupted
    from tbench.errors import KernelError as KernelError
    from tbench.errors import NothingSelected as NothingSelected
    from tbench.errors import ScenarioError as ScenarioError
    from tbench.errors import StoreError as StoreError
    from tbench.errors import TbenchError as TbenchError
    from tbench.errors import Unsupported as Unsupported
    from tbench.errors import UsageError as UsageError
    from tbench.records import Case as Case
    from tbench.scenario import Scenario as Scenario

__version__ = "0.1.0"

WHERE = {
    **dict.fromkeys(("load", "read_run", "run"), "tbench.api"),
    **dict.fromkeys(("Interrupted", "KernelError", "NothingSelected", "ScenarioError"), "tbench.errors"),
    **dict.fromkeys(("StoreError", "TbenchError", "Unsupported", "UsageError"), "tbench.errors"),
    "Case": "tbench.records",
    "Problem": "tbench.components.problem",
    "Run": "tbench.analysis.run",
    "Scenario": "tbench.scenario",
    "register": "tbench.catalog",
}
__all__ = [
    *("Case", "Interrupted", "KernelError", "NothingSelected", "Problem", "Run", "Scenario", "ScenarioError"),
    *("StoreError", "TbenchError", "Unsupported", "UsageError", "__version__", "load", "read_run", "register", "run"),
]


def __getattr__(name: str) -> Any:
    if name in WHERE:
        return getattr(importlib.import_module(WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
