"""The formats of a comparison by name; the modules do the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches

from tbench.comparison import json, markdown, text
from tbench.comparison.grid import Grid
from tbench.comparison.model import Comparison
from tbench.errors import UsageError

FORMATS: dict[str, Callable[[Comparison, Sequence[Grid]], str]] = {
    "text": text.render,
    "md": markdown.render,
    "json": json.render,
}


def renderer(format: str) -> Callable[[Comparison, Sequence[Grid]], str]:
    """The function that writes comparisons as `format`. Raises UsageError where there is none."""
    if format not in FORMATS:
        near = get_close_matches(format.lower(), FORMATS, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"--format {format}: a comparison is written as {', '.join(FORMATS)}{hint}")
    return FORMATS[format]
