"""Kernels of the user's own: named in a scenario by their place, found and loaded where a case is set up.

    ./kernels.py:attend    `attend` of a file; the path starts at the scenario's folder
    mypkg.ops:attend       `attend` of a module: of the repository the scenario lies in, or installed

Reading a scenario runs none of it; a worker does. What a place names is a plain function, which is called with
tensors, or a factory as tbench's own variants have (see `calling.is_factory`). No torch here.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tbench.components import calling
from tbench.errors import KernelError

FILE = r"(?:[\w.+-]*/)*[\w.+-]+\.py"
MODULE = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
PATTERN = rf"(?:{FILE}|{MODULE}):[A-Za-z_]\w*"
FORMS = "./file.py:function or package.module:function"
MARKS = (".git", "pyproject.toml")  # what the root of a repository holds

_folder: Path | None = None  # where relative paths start; None: in the current folder


@dataclass(frozen=True)
class Place:
    """`where`: the path of a file or the name of a module; `name`: what is defined there."""

    where: str
    name: str

    def __str__(self) -> str:
        return f"{self.where}:{self.name}"

    @property
    def is_file(self) -> bool:
        return self.where.endswith(".py")

    def file(self, folder: Path) -> Path:
        """The path of the file, for a scenario in `folder`."""
        return Path(os.path.normpath(folder / self.where))


def place(text: str) -> Place | None:
    """What a text names, a path in its one spelling (`./a.py`, `../a.py`, `/a.py`); None where it is no place."""
    if not re.fullmatch(PATTERN, text):
        return None
    where, _, name = text.rpartition(":")
    if where.endswith(".py"):
        where = os.path.normpath(where)
        where = where if where.startswith(("/", "../")) else f"./{where}"
    return Place(where, name)


def roots(folder: Path) -> list[Path]:
    """Where modules are looked for first: the root of the repository `folder` lies in, and its `src` before that."""
    above = (one for one in (folder, *folder.parents) if any((one / mark).exists() for mark in MARKS))
    root = next(above, folder)
    return [root / "src", root] if (root / "src").is_dir() else [root]


def look_in(folder: str, installed_first: bool = False) -> None:
    """Find the kernels of a scenario in `folder`. Asked of a worker once, before its case is set up.

    `installed_first`: the environment's packages win over those of the repository, where the environment is what is
    to be measured.
    """
    global _folder
    _folder = Path(folder)
    here = [str(root) for root in roots(_folder)]
    sys.path[:] = [*sys.path, *here] if installed_first else [*here, *sys.path]


def kernel(
    text: str,
    setting: Any,
    tensors: Sequence[str],
    keywords: Callable[[Callable[..., Any], Any], Mapping[str, Any]] = lambda function, setting: {},
) -> Callable[..., Any]:
    """What is timed, of the place that `text` names: called with `tensors` alone.

    `keywords(function, setting)`: what a plain function is given beside them. Raises KernelError, and Unsupported
    or anything else that the user's code raises.
    """
    found = place(text)
    assert found is not None
    try:
        function = load(found)
        if not calling.is_factory(function):
            return calling.bound(function, tensors, keywords(function, setting))
        made = calling.made(function, setting)
        return calling.bound(made, tensors, {})
    except KernelError as problem:
        raise KernelError(f"{found}: {problem}") from None


def load(found: Place) -> Callable[..., Any]:
    """Run the file, or import the module, and return what the place names. Raises KernelError."""
    try:
        module = from_file(found.file(_folder or Path.cwd())) if found.is_file else from_module(found.where)
    except SyntaxError as error:
        raise KernelError(f"{error.filename}:{error.lineno}: {error.msg}") from None
    function = getattr(module, found.name, None)
    if function is None:
        import difflib  # not where places are only read: `tbench list` does

        near = difflib.get_close_matches(found.name, [name for name in vars(module) if not name.startswith("_")], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise KernelError(f"{getattr(module, '__file__', None) or found.where} has no {found.name!r}{hint}")
    if not callable(function):
        raise KernelError(f"this is {calling.kind(function)}, and a function is needed")
    loaded: Callable[..., Any] = function
    return loaded


def source(text: str) -> str | None:
    """The file of the module that `text` names, as Python found it here; None where it has none. Raises KernelError."""
    found = place(text)
    assert found is not None
    module = from_file(found.file(_folder or Path.cwd())) if found.is_file else from_module(found.where)
    return getattr(module, "__file__", None)


def from_file(path: Path) -> ModuleType:
    """The file as a module of a name that no other has; torch.compile, dataclasses and pickle look it up by that."""
    if not path.is_file():
        raise KernelError(f"there is no file {path}")
    name = f"own_{re.sub(r'[^A-Za-z0-9]', '_', path.stem)}_{zlib.crc32(str(path).encode()):08x}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))  # it stays: the file may import what lies beside it when it is called, too
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def from_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # something that it imports in turn
        looked = ", ".join(map(str, roots(_folder or Path.cwd())))
        raise KernelError(f"there is no module {error.name!r}: not in {looked}, and not installed") from None
