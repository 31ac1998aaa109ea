"""The rules that keep the house one-way: who may import whom, and what must start without torch."""

from __future__ import annotations

import ast
import functools
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tbench"

# A floor may import those named beside it (and itself). Anything not listed here is a new arrow: think first.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "records": set(),
    "threads": set(),
    "listener": {"records"},
    "yamlfile": {"errors"},
    "model": {"errors", "records"},
    "store": {"errors", "records", "model"},
    "components": {"errors", "records", "threads", "model"},
    "training": {"errors", "records", "model", "components"},
    "catalog": {"components", "training"},
    "scenario": {"errors", "records", "model", "components", "catalog", "yamlfile"},
    "measure": {"threads", "errors", "records", "store", "components"},
    "tables": {"errors"},
    "analysis": {"errors", "records", "store", "tables"},
    "claims": {"errors", "records", "model", "yamlfile", "store", "tables", "analysis"},
    "charts": {"errors", "records", "store", "tables", "analysis", "claims"},
    "report": {"errors", "records", "listener", "store", "tables", "analysis", "claims", "charts"},
    "comparison": {"errors", "records", "store", "tables", "analysis", "report"},
    "page": {
        *("errors", "records", "store", "tables", "analysis", "claims", "charts", "report", "comparison", "gate"),
    },
    "execution": {
        *("threads", "errors", "records", "listener", "store"),
        *("components", "catalog", "scenario", "measure", "analysis"),
    },
    "proof": {"errors", "records", "store", "components", "catalog", "scenario", "measure", "analysis", "execution"},
    "gate": {
        *(
            "errors",
            "records",
            "listener",
            "store",
            "catalog",
            "scenario",
            "tables",
            "listener",
            "analysis",
            "execution",
            "report",
            "comparison",
            "yamlfile",
        ),
    },
    "profiling": {"errors", "records", "store", "catalog", "scenario", "tables", "analysis", "execution"},
    "api": {"errors", "records", "listener", "store", "scenario", "execution", "analysis", "claims", "report", "page"},
}
MAY_IMPORT["cli"] = {*MAY_IMPORT} - {"training"}
WITH_TORCH = {"model", "components", "training", "measure", "execution.worker", "execution.failures"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """Dotted names of everything a file imports, at the top or inside functions."""
    found: set[str] = set()
    package = name_of(path).split(".") if path.name == "__init__.py" else name_of(path).split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def floor(module: str) -> str:
    return module.split(".")[1] if module.count(".") else "api"  # `tbench` itself is the Python interface


def test_arrows_point_down() -> None:
    against = []
    for path in modules():
        own = name_of(path)
        if own in ("tbench", "tbench.__main__"):
            continue
        theirs = {floor(module) for module in imported(path) if module.startswith("tbench.")}
        if own.startswith("tbench.cli"):
            theirs.discard("__version__")
        against += [f"{own} → {other}" for other in theirs - {floor(own)} - MAY_IMPORT[floor(own)]]
    assert not against


def test_only_the_worker_side_imports_torch() -> None:
    others = [path for path in modules() if not name_of(path).removeprefix("tbench.").startswith(tuple(WITH_TORCH))]
    assert len(others) > 100
    assert not [path for path in others if "torch" in {module.split(".")[0] for module in imported(path)}]


def test_no_files_import_each_other_in_a_circle() -> None:
    """Neither at the top nor inside functions: whoever reads a file need not have read who uses it."""
    paths = {name_of(path): path for path in modules()}
    needs: dict[str, set[str]] = {}
    for name, path in paths.items():
        found = {module if module in paths else module.rpartition(".")[0] for module in imported(path)}
        needs[name] = (found & paths.keys()) - {name}
    try:
        tuple(graphlib.TopologicalSorter(needs).static_order())
    except graphlib.CycleError as circle:
        pytest.fail(" → ".join(circle.args[1]))


def loaded_by(code: str, heavy: str) -> set[str]:
    """Which of the comma-separated modules are loaded once `code` has run in a fresh interpreter."""
    program = f"import sys, os\nsys.stdout = open(os.devnull, 'w')\n{code}\n" + (
        f"print(*[m for m in {heavy!r}.split(',') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


RUN = str(PACKAGE.parent / "results" / "cpu-2core" / "attention")


COMMANDS = [
    *(["--help"], ["list"], ["run", "--help"], ["profile", "--help"]),
    *(["table", RUN], ["report", RUN], ["compare", RUN, RUN]),
]


def test_help_lists_and_tables_load_nothing_heavy() -> None:
    code = f"from tbench.cli import exit_code\nfor words in {COMMANDS!r}:\n    assert exit_code(words) == 0"
    assert loaded_by(code, "torch,pandas,scipy,matplotlib,jinja2,vl_convert,plotext,tbench.page") == set()


def test_folders_do_not_import_each_other_in_a_circle() -> None:
    assert len([*graphlib.TopologicalSorter(MAY_IMPORT).static_order()]) == len(MAY_IMPORT)


ABOVE = (
    "tbench",
    "tbench.api",
    "tbench.analysis.frame",
    "tbench.report",
    "tbench.scenario",
    "tbench.execution.runner",
    "tbench.catalog",
    "tbench.claims",
    "tbench.claims.ending",
    "tbench.comparison",
    "tbench.cli.profile",
    "tbench.cli.doctor",
    "tbench.gate.run",
    "tbench.gate.stored",
    "tbench.gate.calibrate",
)


def test_everything_above_the_worker_is_importable_without_torch() -> None:
    registry = "from tbench.catalog import COMPONENTS; assert COMPONENTS['attention'].variants"
    assert loaded_by(f"import {', '.join(ABOVE)}\n{registry}", "torch,pandas") == set()
