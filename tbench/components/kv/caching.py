"""What a KV cache keeps, as it is written in a scenario. No torch."""

from __future__ import annotations

import re
from typing import Any

SCHEMA = {"type": "string", "pattern": r"^(full|rolling:[1-9]\d{0,8})$", "examples": ["full", "rolling:4096"]}


def cache(value: Any) -> str:
    """`full`, or `rolling:4096` for a cache that keeps the last 4096 tokens. Raises ValueError."""
    if isinstance(value, str) and (value == "full" or kept(value)):
        return value
    raise ValueError(f"{value!r} is not a cache; write full, or rolling:4096 to keep the last 4096 tokens")


def kept(text: str) -> int | None:
    """Tokens that a cache keeps at most; None where it keeps all."""
    found = re.fullmatch(r"rolling:([1-9]\d{0,8})", text)
    return int(found[1]) if found else None
