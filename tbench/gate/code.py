"""Which code each side measures: the files that it imports for its kernels, and whether they stayed as they were.

A comparison of a file with itself is always green. A kernel that comes with tbench or from an installed package is the
same in two checkouts, which a reader must know. A base that imports anything from the *working tree* (an editable
install, a path of the environment) would hide changes to it, which is refused. A file that is edited while it is
measured leaves its cases open: two versions' times would pass for one's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tbench.catalog import get as get_component
from tbench.errors import UsageError
from tbench.execution.executor import Executor, WorkerFailed
from tbench.gate.checkout import within
from tbench.gate.sides import Sides
from tbench.records import Case, Sampling

INSTALLED = ("site-packages", "dist-packages")  # of an environment that may lie inside the repository
ENGINE = Path(__file__).parents[1]  # tbench itself

Kernel = tuple[str, str]  # a component, and its variant's name
Fingerprints = Mapping[Path, str]  # of a file, a hash of its content; empty where it cannot be read


@dataclass(frozen=True)
class Sources:
    """What a side takes a kernel from. `named`: the file that the scenario names, or that its module is; `imported`:
    that and every other that is loaded with it; `libraries`: the interpreter's own folders. `trouble`: why nothing is
    known."""

    named: Path | None = None
    imported: tuple[Path, ...] = ()
    libraries: tuple[Path, ...] = ()
    trouble: str = ""

    def of(self, root: Path) -> list[Path]:
        """The imported files that are part of the repository at `root`: tbench and installed packages are not.

        A library's folder that holds the whole repository, as /usr may, says nothing of what lies in it.
        """
        inner = [folder for folder in self.libraries if within(folder, root) and not within(root, folder)]
        return [
            file
            for file in self.imported
            if within(file, root)
            and not within(file, ENGINE)
            and not any(part in INSTALLED for part in file.relative_to(root.resolve()).parts)
            and not any(within(file, folder) for folder in inner)
        ]


@dataclass(frozen=True)
class Origin:
    """A kernel of the user's own, on both sides. `file`: that the scenario names; None for a module."""

    kernel: Kernel
    base: Sources
    new: Sources
    file: Path | None = None


def kernel_of(case: Case) -> Kernel:
    return case.component, str(case[get_component(case.component).variant_axis])


def find_origins(
    sides: Sides, shared: Sequence[Case], only_new: Sequence[Case], sampling: Mapping[Case, Sampling]
) -> list[Origin]:
    """Where each side takes the user's own kernels from: every one is loaded and called once, in its smallest case."""
    common = {kernel_of(case) for case in shared}
    others = [case for case in only_new if kernel_of(case) not in common]
    found = []
    for case in (*one_case_each(shared), *one_case_each(others)):
        component = get_component(case.component)
        if not component.is_own(case):
            continue
        kernel, seconds = kernel_of(case), sampling[case].timeout
        base = find_sources(sides.base.executor, case, seconds) if kernel in common else Sources()
        new = find_sources(sides.new.executor, case, seconds)
        where, _, _ = component.variant_of(case).place.rpartition(":")
        file = sides.new.scenario.folder / where if where[0] in "./" else None
        found.append(Origin(kernel, base, new, file and file.resolve()))
    return found


def notes_on_code(sides: Sides, cases: Sequence[Case], found: Sequence[Origin]) -> Iterator[str]:
    """What to say of kernels that are the same on both sides. Raises UsageError for code that must not be."""
    base, new = sides.base, sides.new
    same = []
    if sides.one_python:
        shipped = [case for case in one_case_each(cases) if not get_component(case.component).is_own(case)]
        same += [kernel_of(case)[1] for case in shipped]
    for one in found:
        name = one.kernel[1]
        if one.base.trouble:
            yield (
                f"{name}: could not verify that the base loads it from its own checkout: it failed to load there "
                f"({one.base.trouble})"
            )
        elif base.root is not None and new.root is not None:
            refuse_the_working_tree(name, one.base, base.root, new.root)
        here = one.new.named
        if one.base.named is not None and one.base.named == here and (sides.one_python or one.file is None):
            same.append(f"{name} ({here})")
    if same:
        names = ", ".join(dict.fromkeys(same))
        yield f"the same code on both sides, so only the machine's noise can differ: {names}"


def refuse_the_working_tree(name: str, found: Sources, base: Path, new: Path) -> None:
    """Raises UsageError where the base has imported a file of the other side's checkout."""
    for file in found.of(new):
        if not within(file, base):
            raise UsageError(
                f"{name}: the base would load the working tree's {file}, so no change to it could show up. The "
                "environment leads there (an editable install, PYTHONPATH): name the file "
                "(./path.py:function), put the package at the repository's root or in src, or give each side its "
                "own Python with --base-env"
            )


def one_case_each(cases: Sequence[Case]) -> list[Case]:
    """One case for every variant of every component, the smallest."""
    found: dict[Kernel, Case] = {}
    for case in sorted(cases, key=lambda one: get_component(one.component).predict_bytes(one)):
        found.setdefault(kernel_of(case), case)
    return list(found.values())


def find_sources(executor: Executor, case: Case, seconds: float) -> Sources:
    """What a side takes the case's kernel from, if it can be loaded and called in so many seconds."""
    try:
        worker = executor.start()
        try:
            named, imported, libraries = worker.ask("sources_of", seconds, case=case, seed=0)
        finally:
            worker.close()
    except WorkerFailed as failure:
        return Sources(trouble=failure.reason)
    files, folders = (tuple(Path(one).resolve() for one in found) for found in (imported, libraries))
    return Sources(Path(named).resolve() if named else None, files, folders)


# ---------------------------------------------------------------------- whether it was edited meanwhile


def fingerprints(found: Sequence[Origin], root: Path | None) -> dict[Path, str]:
    """Of every file below `root` that the new side's kernels are made of; without a root, of those that name them."""
    files = [file for one in found for file in files_of(one, root)]
    return {file: fingerprint(file) for file in dict.fromkeys(files)}


def files_of(one: Origin, root: Path | None) -> list[Path]:
    imported = [] if root is None else one.new.of(root)
    return [*imported, *(file for file in (one.file, one.new.named) if file is not None)]


def fingerprint(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def edited(cases: Iterable[Case], found: Sequence[Origin], root: Path | None, before: Fingerprints) -> dict[str, Path]:
    """By the id of a case, a file of its kernel that is not as it was `before`."""
    changed: dict[Kernel, Path] = {}
    for one in found:
        for file in files_of(one, root):
            if fingerprint(file) != before.get(file):
                changed.setdefault(one.kernel, file)
    return {case.id: changed[kernel_of(case)] for case in cases if kernel_of(case) in changed}
