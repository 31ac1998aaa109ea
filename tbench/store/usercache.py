"""Where tbench keeps what can be made again: measured peaks, a user's own evidence, the script of a page's charts."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def folder() -> Path:
    """`$XDG_CACHE_HOME/tbench`, by default `~/.cache/tbench` (XDG base directory specification).

    Raises OSError where the user has neither HOME nor an entry in the password database.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "tbench"
    except RuntimeError:
        raise OSError(errno.ENOENT, "this user has no home directory", "~/.cache/tbench") from None


def problem() -> str | None:
    """Why nothing can be kept there, in words; None if it can."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder()):
            return None
    except OSError as refused:
        return f"{refused.filename} cannot be written ({refused.strerror})"
