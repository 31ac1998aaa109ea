"""Text in aligned columns, folded where it does not fit. For `tbench list`, which must answer at once.

rich draws the same, but takes 30 ms for the hundred and fifty lines of `tbench list`: a quarter of its whole time.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

GAP = "  "
LEAST = 8  # characters a column keeps, however narrow the terminal


def columns(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Lines of a table under its header; the widest columns give way first where it is wider than `width`."""
    widths = [max(1, *map(len, column)) for column in zip(header, *rows, strict=True)]
    while sum(widths) + len(GAP) * (len(widths) - 1) > width and max(widths) > LEAST:
        widths[widths.index(max(widths))] -= 1
    yield from laid_out(header, widths)
    yield GAP.join("─" * size for size in widths)
    for row in rows:
        yield from laid_out(row, widths)


def laid_out(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """One row, on as many lines as its longest cell takes."""
    cells = [textwrap.wrap(cell, size) for cell, size in zip(row, widths, strict=True)]
    for parts in zip_longest(*cells, fillvalue=""):
        yield GAP.join(part.ljust(size) for part, size in zip(parts, widths, strict=True)).rstrip()
