"""Whether the new side was edited while it was measured: two versions' times would pass for one's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tbench.gate.code import Kernel, Origin, kernel_of
from tbench.gate.outcome import Outcome
from tbench.records import Case

Prints = Mapping[Path, str]  # of a file, a hash of its content; empty where it cannot be read


def prints(found: Sequence[Origin], root: Path | None) -> dict[Path, str]:
    """Of every file below `root` that the new side's kernels are made of; without a root, of those that name them."""
    files = [file for one in found for file in files_of(one, root)]
    return {file: printed(file) for file in dict.fromkeys(files)}


def files_of(one: Origin, root: Path | None) -> list[Path]:
    imported = [] if root is None else one.new.of(root)
    return [*imported, *(file for file in (one.file, one.new.named) if file is not None)]


def printed(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def without_edited(
    outcomes: Iterable[Outcome], cases: Iterable[Case], found: Sequence[Origin], root: Path | None, before: Prints
) -> list[Outcome]:
    """The outcomes, those of kernels whose files are not as they were `before` INCONCLUSIVE."""
    edited: dict[Kernel, Path] = {}
    for one in found:
        for file in files_of(one, root):
            if printed(file) != before.get(file):
                edited.setdefault(one.kernel, file)
    kernels = {case.id: kernel_of(case) for case in cases}
    return [
        replace(one, verdict="INCONCLUSIVE", reason=f"{edited[kernel]} was edited while it was measured: run again")
        if (kernel := kernels.get(one.case)) in edited and one.verdict not in ("SKIPPED", "MISSING")
        else one
        for one in outcomes
    ]
