"""Whether a run may go on in a folder: it must be the same run, on the same machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tbench.errors import StoreError

# Of the environment, what changes times: measurements before and after would not belong together.
SAME_MACHINE = ("device", "device_name", "cpu", "threads", "torch", "cuda", "cudnn", "driver", "allocator")
MAY_DIFFER = ("environment", "counts", "command", "parts", "machines")
ANY_NODE = ("device", "torch", "cuda")  # on a cluster, whose rows say which node they are from
SHOWN_DIFFERENCES = 5


def refuse_differences(folder: Path, stored: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raises StoreError, naming what differs, unless header `asked` continues the run of header `stored`."""
    same = ANY_NODE if asked.get("executor") else SAME_MACHINE
    machines = [{key: part.get("environment", {}).get(key) for key in same} for part in (stored, asked)]
    keys = dict.fromkeys(["executor", *asked])
    found = [
        *(one for key in keys if key not in MAY_DIFFER for one in _differences(key, stored.get(key), asked.get(key))),
        *_differences("environment", *machines),
    ]
    if found:
        more = [f"  and {len(found) - SHOWN_DIFFERENCES} more"] if len(found) > SHOWN_DIFFERENCES else []
        raise StoreError(
            "\n".join(
                [
                    f"{folder} holds a different run, so --resume cannot continue it:",
                    *(f"  {difference}" for difference in found[:SHOWN_DIFFERENCES]),
                    *more,
                    "Run with what it was started with, or name another folder with -o.",
                ]
            )
        )


def _differences(place: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from _differences(f"{place}.{key}", old.get(key), new.get(key))
    elif old != new:
        yield f"{place}: {json.dumps(old, ensure_ascii=False)} there, {json.dumps(new, ensure_ascii=False)} now"
