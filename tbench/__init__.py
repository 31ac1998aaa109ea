"""tbench: benchmark and profiler for the parts of a Transformer.

    import tbench
    scenario = tbench.load("scenarios/attention.yaml", quick=True)
    run = tbench.run(scenario, out="results/mine")
    frame = tbench.read_run("results/mine")          # a pandas.DataFrame, the columns of results.csv

The command line uses the same three functions. Importing tbench loads neither torch nor pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tbench.api import load as load
    from tbench.api import read_run as read_run
    from tbench.api import run as run

__version__ = "0.1.0"
__all__ = ["__version__", "load", "read_run", "run"]


def __getattr__(name: str) -> Any:
    if name in ("load", "read_run", "run"):
        from tbench import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
