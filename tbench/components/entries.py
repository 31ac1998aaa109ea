"""Kernels that installed packages offer: entry points of the group `tbench.variants`.

    [project.entry-points."tbench.variants"]
    "attention.fast" = "mypkg.ops:attn_v2"        # `kernel: fast` of attention

They are places like those a scenario names (see `own`), under a shorter name. Nothing of a package is imported here.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tbench.components.own import place

GROUP = "tbench.variants"
NAME = re.compile(r"(\w+)\.([\w-][\w.-]*)")


@dataclass(frozen=True)
class Entry:
    """`kernel` of `component` is what `place` names. `fault`: why it cannot be used, if so."""

    component: str
    kernel: str
    place: str
    package: str
    fault: str = ""


@cache
def entries() -> tuple[Entry, ...]:
    """Every entry point of the group, those with a fault too."""
    if not mentioned():
        return ()
    from importlib.metadata import entry_points

    found: dict[str, Entry] = {}
    faulty: list[Entry] = []
    for point in sorted(entry_points(group=GROUP), key=lambda one: (one.dist.name if one.dist else "", one.name)):
        entry = read(point)
        if not entry.fault and point.name not in found:
            found[point.name] = entry
        else:
            fault = entry.fault or f"{found[point.name].package} also provides {point.name}"
            faulty.append(Entry(entry.component, entry.kernel, entry.place, entry.package, fault))
    return (*found.values(), *faulty)


def read(point: Any) -> Entry:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unnamed package"
    name = NAME.fullmatch(point.name)
    if name is None:
        component, _, kernel = point.name.partition(".")
        return Entry(component, kernel, point.value, package, "its name is not component.kernel")
    where = place(point.value)
    fault = "" if where and not where.is_file else f"{point.value!r} is not package.module:function"
    return Entry(name[1], name[2], point.value, package, fault)


def mentioned() -> bool:
    """Whether the metadata of any package names the group.

    Told from the files: to ask importlib.metadata, which parses all of it, would take longer than `tbench list`.
    Packages inside zip files are not seen.
    """
    return any(GROUP.encode() in text for folder in dict.fromkeys(sys.path) for text in texts(folder or "."))


def texts(folder: str) -> list[bytes]:
    """What the entry_points.txt of the packages in a folder say."""
    found: list[bytes] = []
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 (three times as fast, on every start)
            if name.endswith((".dist-info", ".egg-info")):
                with suppress(OSError):
                    found.append((Path(folder) / name / "entry_points.txt").read_bytes())
    return found
