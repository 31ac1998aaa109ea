"""Whether the two sides can differ at all: which files each imports for the kernels that it measures.

A comparison of a file with itself is always green. A kernel that comes with tbench or from an installed package is the
same in two checkouts, which a reader must know. A base that imports anything from the *working tree* (an editable
install, a path of the environment) would hide changes to it, which is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tbench.catalog import get as get_component
from tbench.errors import UsageError
from tbench.execution.executor import Executor, WorkerFailed
from tbench.gate.checkout import within
from tbench.gate.sides import Sides
from tbench.records import Case

SECONDS = 60.0
INSTALLED = ("site-packages", "dist-packages")  # of an environment that may lie inside the repository
ENGINE = Path(__file__).parents[1]  # tbench itself


def remarks(sides: Sides, cases: Sequence[Case]) -> Iterator[str]:
    """What to say of kernels that are the same on both sides. Raises UsageError for code that must not be."""
    base, new = sides.base, sides.new
    same = []
    for case in one_each(cases):
        component = get_component(case.component)
        name = str(case[component.variant_axis])
        if not component.is_own(case):
            if sides.one_python:
                same.append(name)
            continue
        (there, imported), (here, _) = sources(base.executor, case), sources(new.executor, case)
        if base.root is not None and new.root is not None:
            refuse_the_working_tree(name, imported, base.root, new.root)
        if (
            there is not None
            and there == here
            and (sides.one_python or component.variant_of(case).place[0] not in "./")
        ):
            same.append(f"{name} ({here})")
    if same:
        told = ", ".join(dict.fromkeys(same))
        yield f"the same code on both sides, so only the machine's noise can differ: {told}"


def refuse_the_working_tree(name: str, imported: Sequence[Path], base: Path, new: Path) -> None:
    """Raises UsageError where the base has imported a file of the other side's checkout."""
    for file in imported:
        installed = any(part in INSTALLED for part in file.parts) or within(file, Path(sys.prefix))
        if within(file, new) and not within(file, base) and not installed and not within(file, ENGINE):
            raise UsageError(
                f"{name}: the base would measure the working tree's {file}, so no change to it could show. It is "
                "found there by way of the environment (an editable install, PYTHONPATH): name the file "
                "(./path.py:function), put the package at the repository's root or in src, or give each side a "
                "Python of its own with --base-env"
            )


def one_each(cases: Sequence[Case]) -> list[Case]:
    """One case for every variant of every component, the smallest."""
    found: dict[tuple[str, object], Case] = {}
    for case in sorted(cases, key=lambda one: get_component(one.component).predict_bytes(one)):
        found.setdefault((case.component, case[get_component(case.component).variant_axis]), case)
    return list(found.values())


def sources(executor: Executor, case: Case) -> tuple[Path | None, list[Path]]:
    """The file a side takes the case's kernel from, and all it imports; nothing where it cannot be loaded: the case
    itself will say so."""
    worker = executor.start()
    try:
        named, imported = worker.ask("sources_of", SECONDS, case=case, seed=0)
    except WorkerFailed:
        return None, []
    finally:
        worker.close()
    return Path(named).resolve() if named else None, [Path(file).resolve() for file in imported]
