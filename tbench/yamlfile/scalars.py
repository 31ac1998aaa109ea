"""What an unquoted YAML scalar means, without the traps of YAML 1.1.

Where YAML 1.1, YAML 1.2 and the author's eye agree, a scalar is read; where they do not (`on`, `010`, `12:30`), it
is refused with the way to write what was meant. `1e-5` is text to most YAML readers; here it is the number it shows.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

BOOLEANS = {"true": True, "false": False}
TRAP_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?")
TRAPS = (
    (
        re.compile(r"[-+]?0[0-9_]+(\.[0-9_]*)?"),
        "a number with a leading zero is octal to some readers; write it without the zero",
    ),
    (re.compile(r"[-+]?0[box][0-9a-fA-F_]+", re.IGNORECASE), "write the number in decimal"),
    (re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?"), "write the number without underscores"),
    (
        re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"),
        "this is a number in base 60 to some readers; write it in decimal",
    ),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"), "this is a date to some readers; write a plain number"),
    (re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE), "a finite number is needed"),
)
MAX_DIGITS = 40


class AmbiguousScalar(ValueError):
    """A scalar that is not what it looks like; the message says what to write instead."""


def read_plain(text: str) -> Scalar:
    """The value of an unquoted scalar. Raises AmbiguousScalar."""
    lower = text.lower()
    if lower in BOOLEANS:
        return BOOLEANS[lower]
    if lower in ("", "~", "null"):
        return None
    if lower in TRAP_BOOLEANS:
        meant = TRAP_BOOLEANS[lower]
        raise AmbiguousScalar(
            f"{text!r} is {meant} to some YAML readers and text to others; write {meant}, or quote it"
        )
    if (
        len(text) > MAX_DIGITS
        and text.lstrip("+-.")[:1].isdigit()
        and (INTEGER.fullmatch(text) or FLOAT.fullmatch(text))
    ):
        raise AmbiguousScalar(f"{text[:12]}… is a number of {len(text)} digits; no axis needs one")
    if INTEGER.fullmatch(text):
        return int(text)
    for shape, remedy in TRAPS:
        if shape.fullmatch(text):
            raise AmbiguousScalar(f"{text!r}: {remedy}, or quote it if text is meant")
    if FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise AmbiguousScalar(f"{text!r} is too large for a number")
        return number
    return text
