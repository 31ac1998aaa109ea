"""JSON for other programs. It has no NaN and no infinity, so these are null.

The files of a run folder, which are read back, keep them exactly: `tbench.store.jsonfile`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def finite(value: T) -> T | None:
    """The value, or None in place of NaN and the infinities."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def dumps(value: Any, *, indent: int | None = 2, ascii: bool = False) -> str:
    """Standard JSON with a newline at its end; `ascii`: other characters as `\\u00d7`."""
    close = (",", ":") if indent is None else None
    made = json.dumps(_finite(value), indent=indent, separators=close, ensure_ascii=ascii, allow_nan=False)
    return made + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else finite(value)
