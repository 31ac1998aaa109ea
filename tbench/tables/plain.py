"""Text of any origin, made harmless for whatever shows it: a terminal, a spreadsheet."""

from __future__ import annotations

import re

# Control characters but for tab and line ends, and those that turn the direction of writing round.
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would compute (OWASP, CSV injection)


def plain(text: str) -> str:
    """The text without what would steer a terminal; each such character becomes U+FFFD."""
    return CONTROLS.sub("\ufffd", text)


def cell(text: str) -> str:
    """Words for a cell of CSV: a spreadsheet takes none for a formula. Not for numbers."""
    clean = plain(text)
    return f"'{clean}" if clean.startswith(FORMULA) else clean
