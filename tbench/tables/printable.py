"""Text of any origin, made harmless: what steers a terminal or a spreadsheet is shown instead of obeyed."""

from __future__ import annotations

import re

# C0 and C1 controls but tab and line feed (ESC begins a terminal's commands, and a log's), line separators, and the
# marks that turn the direction of writing around.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would compute (OWASP, CSV injection)


def printable(words: str) -> str:
    """Control characters as their escapes, `\\x1b`; everything else as it is."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], words)


def cell(words: str) -> str:
    """Words for a cell of CSV: a spreadsheet takes none for a formula. Not for numbers."""
    clean = printable(words)
    return f"'{clean}" if clean.startswith(FORMULA) else clean
