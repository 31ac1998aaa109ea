"""Whether the two sides can differ at all: where each finds the kernels that it measures.

A comparison of a file with itself is always green. A kernel that comes with tbench or from an installed package is the
same in two checkouts, which a reader must know; one that the base takes from the *working tree* (an editable install,
a path of the environment) would hide any change, which is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tbench.catalog import get as get_component
from tbench.errors import UsageError
from tbench.execution.executor import Executor, WorkerFailed
from tbench.gate.sides import Sides
from tbench.records import Case

SECONDS = 60.0


def remarks(sides: Sides, cases: Sequence[Case]) -> Iterator[str]:
    """What to say of kernels that are the same on both sides. Raises UsageError for one that must not be."""
    base, new = sides.base, sides.new
    if base.root is None or new.root is None:
        return
    same = []
    for case in one_each(cases):
        name = str(case[get_component(case.component).variant_axis])
        if not get_component(case.component).is_own(case):
            same.append(name)
            continue
        there, here = source(base.executor, case), source(new.executor, case)
        if there is not None and within(there, new.root) and not within(there, base.root):
            raise UsageError(
                f"{name}: the base would measure the working tree's {there}, so nothing could ever differ. It is found "
                "there by way of the environment (an editable install, PYTHONPATH): name the file "
                "(./path.py:function), put the package at the repository's root or in src, or give each side a Python "
                "of its own with --base-env"
            )
        if there is not None and there == here:
            same.append(name)
    if same and sides.one_python:
        told = ", ".join(dict.fromkeys(same))
        yield f"the same code on both sides, so only the machine's noise can differ: {told} (not of this repository)"


def one_each(cases: Sequence[Case]) -> list[Case]:
    """One case for every variant of every component."""
    found: dict[tuple[str, object], Case] = {}
    for case in cases:
        found.setdefault((case.component, case[get_component(case.component).variant_axis]), case)
    return list(found.values())


def source(executor: Executor, case: Case) -> Path | None:
    """The file a side takes the case's kernel from; None where it cannot be loaded: the case itself will say so."""
    worker = executor.start()
    try:
        found = worker.ask("source_of", SECONDS, case=case)
    except WorkerFailed:
        return None
    finally:
        worker.close()
    return Path(found).resolve() if found else None


def within(path: Path, folder: Path) -> bool:
    return path.is_relative_to(folder.resolve())
