"""The formats of a comparison by name; the modules do the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tbench.comparison import json, markdown, text
from tbench.comparison.grid import Grid
from tbench.comparison.model import Comparison
from tbench.tables.formats import chosen

FORMATS: dict[str, Callable[[Comparison, Sequence[Grid]], str]] = {
    "text": text.render,
    "md": markdown.render,
    "json": json.render,
}


def renderer(format: str) -> Callable[[Comparison, Sequence[Grid]], str]:
    """The function that writes comparisons as `format`. Raises UsageError where there is none."""
    return chosen(format, FORMATS)
