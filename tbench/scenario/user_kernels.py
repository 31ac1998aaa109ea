"""Kernels of the user's own in a scenario: there, readable and spelled right. Told from their text, nothing is run."""

from __future__ import annotations

import ast
import importlib.util
import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from tbench.components.own import Place, place, roots
from tbench.records import Value
from tbench.yamlfile.mistakes import Loc, Mistakes, did_you_mean, shown
from tbench.yamlfile.source import is_file, nearest

EVERYTHING = "*"  # a name from `from x import *`: then nothing can be said to be missing


def settled(form: dict[str, Any], axis: str, folder: Path, top: Path, mistakes: Mistakes) -> dict[str, Any]:
    """The checked file with every own kernel's path as it is from `top`, the folder of the scenario that was asked for.

    `folder`: where the file itself lies, another one in a part of a suite. What is wrong goes to `mistakes`.
    """

    def settle(loc: Loc, value: str) -> str:
        named = place(value)
        if named is None:
            return value
        from_top = moved(named, folder, top)
        trouble = trouble_of(named, folder, top)
        if from_top is None:
            trouble = f"its path from {top} may hold letters, digits and . + - _ only; rename a folder"
        if trouble:
            mistakes.add(loc, f"{axis}: {shown(value)}: {trouble}")
        return str(from_top)

    changed: dict[str, Any] = visited(form, (), axis, settle)
    return changed


def troubles(values: Sequence[Value], folder: Path) -> list[str]:
    """What is wrong with the own kernels among the values of a `--set`; their paths start at `folder`."""
    named = [place(value) for value in values if isinstance(value, str)]
    found = [(one, trouble_of(one, folder, folder)) for one in named if one is not None]
    return [f"{shown(str(one))}: {trouble}" for one, trouble in found if trouble]


def visited(value: Any, loc: Loc, axis: str, settle: Callable[[Loc, str], str]) -> Any:
    """The same data, but for texts that stand under the axis."""
    if isinstance(value, dict):
        return {key: visited(inner, (*loc, key), axis, settle) for key, inner in value.items()}
    if isinstance(value, list):
        return [visited(inner, (*loc, index), axis, settle) for index, inner in enumerate(value)]
    return settle(loc, value) if isinstance(value, str) and len(loc) > 1 and axis in loc[-2:] else value


def moved(named: Place, folder: Path, top: Path) -> Place | None:
    """The same place, its path from another folder on; None where that cannot be written."""
    if not named.is_file or folder == top or named.where.startswith("/"):
        return named
    return place(f"{os.path.relpath(named.file(folder), top)}:{named.name}")


def trouble_of(named: Place, folder: Path, top: Path) -> str | None:
    """What is wrong with a place, and what to do; None if nothing, as far as it can be told without running it."""
    if named.is_file:
        return trouble_of_file(named, folder)
    root = named.where.partition(".")[0]
    if found(root, top):
        return None
    beside = place(f"{named.where.replace('.', '/')}.py:{named.name}")
    hint = f"; did you mean '{beside}'?" if beside and is_file(beside.file(folder)) else ""
    return f"there is no package {root!r}, neither in {roots(top)[-1]} nor installed{hint or '; install it'}"


def found(root: str, folder: Path) -> bool:
    """Whether a top-level module can be found from `folder`, without importing it."""
    with suppress(ImportError, ValueError):
        if PathFinder.find_spec(root, [str(one) for one in roots(folder)]) is not None:
            return True
        return importlib.util.find_spec(root) is not None
    return False


def trouble_of_file(named: Place, folder: Path) -> str | None:
    path = named.file(folder)
    if not is_file(path):
        near = nearest(path, "*.py")
        if near is None:
            return f"there is no such file; paths start at {folder}"
        return f"there is no such file; did you mean {str(Path(named.where).with_name(near))!r}?"
    try:
        names = defined(path.read_bytes())
    except SyntaxError as error:
        return f"line {error.lineno} is not Python: {error.msg}"
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"
    if named.name in names or EVERYTHING in names:
        return None
    return f"{path.name} has no {named.name!r} at top level{did_you_mean(named.name, names)}"


def defined(source: bytes) -> list[str]:
    """Names a file has at its top level, in order: defined, assigned or imported, also below an `if` or a `try`.

    Raises SyntaxError and ValueError.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of doubtful escapes, not for whoever wrote the scenario
        tree = ast.parse(source)
    names: dict[str, None] = {}
    waiting: list[ast.AST] = [*reversed(tree.body)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[EVERYTHING if node.name == "__getattr__" else node.name] = None
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= dict.fromkeys(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names[node.id] = None
        elif not isinstance(node, ast.Lambda):
            waiting += reversed([*ast.iter_child_nodes(node)])
    return [*names]
