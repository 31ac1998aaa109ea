"""The text of a YAML file: bytes of a file or of standard input, checked to be clean UTF-8."""

from __future__ import annotations

import difflib
import os
import re
import sys
from pathlib import Path
from typing import Any

from tbench.errors import ScenarioError

STDIN = "-"
MAX_BYTES = 256 * 1024

UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def contents(path: str) -> bytes:
    """The file's bytes, one more than allowed at most. Raises ScenarioError where there is nothing to read."""
    if path == STDIN:
        stream: Any = getattr(sys.stdin, "buffer", sys.stdin)
        found = stream.read(MAX_BYTES + 1)
        return found.encode("utf-8", "surrogateescape") if isinstance(found, str) else bytes(found)
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ScenarioError(f"{path}: there is no such file{nearby(Path(path))}") from None
    except IsADirectoryError:
        raise ScenarioError(f"{path}: this is a folder; name a file in it") from None
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def decoded(source: bytes, name: str) -> str:
    """The text, with `\\n` line ends and without a byte order mark. Raises ScenarioError with the place."""
    if len(source) > MAX_BYTES:
        raise ScenarioError(f"{name}:1:1: larger than {MAX_BYTES // 1024} KiB; is this the right file?")
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = source[: error.start].decode("utf-8", "replace")
        raise refusal(name, before, "not UTF-8 text; save the file as UTF-8") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    bad = UNREADABLE.search(text)
    if bad:
        raise refusal(name, text[: bad.start()], f"unreadable character U+{ord(bad[0]):04X}; remove it")
    tab = text.find("\t")
    if tab >= 0:
        raise refusal(name, text[:tab], "a tab; write spaces")
    return text


def refusal(name: str, before: str, message: str) -> ScenarioError:
    """A mistake that stands right behind the text `before`."""
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return ScenarioError(f"{name}:{line}:{column}: {message}")


def shown_path(path: str) -> str:
    return "<stdin>" if path == STDIN else path


def folder_of(path: str) -> Path:
    """The absolute folder in which a scenario lies; of standard input, or of no file at all, the current one."""
    return Path.cwd() if path in ("", STDIN) else Path(os.path.normpath(Path.cwd() / path)).parent


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def nearby(path: Path) -> str:
    """A suggestion among the YAML files beside a file that is not there."""
    near = nearest(path, "*.y*ml")
    return f"; did you mean {str(path.parent / near)!r}?" if near else ""


def nearest(path: Path, pattern: str) -> str | None:
    """The file beside `path` whose name is most like it."""
    try:
        there = [file.name for file in sorted(path.parent.glob(pattern))]
    except (OSError, ValueError):
        return None
    return next(iter(difflib.get_close_matches(path.name, there, n=1, cutoff=0.5)), None)
