"""Formats of an output by their names."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

from tbench.errors import UsageError

T = TypeVar("T")


def chosen(format: str, known: Mapping[str, T]) -> T:
    """What `format` stands for. Raises UsageError, with the name that is nearest to it, where it stands for nothing."""
    if format in known:
        return known[format]
    near = get_close_matches(format.lower().replace("_", "-"), known, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(f"--format {format}: unknown format; choose from {', '.join(known)}{hint}")
