"""Stored baselines: runs of an earlier day, kept in the repository to compare with.

results/baselines/<scenario>/<name>/          a run folder; canary/ in it is the run of the canaries
results/baselines/<scenario>/current          the name of the one that `--baseline current` means
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tbench.analysis.run import Run
from tbench.errors import StoreError, UsageError
from tbench.records import FAILED
from tbench.store import FINISHED, HEADER, write_file

HOME = Path("results") / "baselines"
CURRENT = "current"
CANARY = "canary"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
KEPT = (HEADER, FINISHED)  # the rest of a run folder can be derived again


@dataclass(frozen=True)
class Stored:
    """A baseline that is kept. `current`: whether `--baseline current` means it."""

    scenario: str
    name: str
    run: Run
    current: bool
    canaries: bool


def folder(scenario: str, name: str) -> Path:
    """Where a baseline of this name is kept. Raises UsageError for a text that cannot be a name."""
    if not NAME.fullmatch(name) or not NAME.fullmatch(scenario) or name == CURRENT:
        raise UsageError(f"{name!r} cannot name a baseline; use letters, digits, -, _ and ., and not {CURRENT!r}")
    return HOME / scenario / name


def find(given: str, scenario: str) -> Path:
    """The run folder that `--baseline` means: a path, a name, or `current`. Raises UsageError."""
    if (Path(given) / HEADER).exists():
        return Path(given)
    name = current(scenario) if given == CURRENT else given
    if name is not None and NAME.fullmatch(name) and (HOME / scenario / name / HEADER).exists():
        return HOME / scenario / name
    there = ", ".join(one.name for one in HOME.glob(f"{scenario}/*") if (one / HEADER).exists())
    known = f"available: {there}" if there else f"make one with `tbench baseline save` (none in {HOME / scenario})"
    what = "no baseline is current" if given == CURRENT else "is neither a run folder nor a baseline"
    raise UsageError(f"--baseline {given}: {what}; {known}")


def current(scenario: str) -> str | None:
    """The name of the baseline in use, if there is one."""
    try:
        return (HOME / scenario / CURRENT).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def promote(given: str, name: str | None) -> tuple[Run, Path]:
    """Make a run the baseline in use: one that is kept already, by `scenario/name`, or any run folder, which is copied.

    `name`: what to call a copy; None: the time it was started. Raises UsageError and StoreError.
    """
    path = next((one for one in (Path(given), HOME / given) if (one / HEADER).exists()), None)
    if path is None:
        raise UsageError(f"{given}: there is no such run folder, and no such baseline (`tbench baseline list`)")
    run = Run.read(path)
    if not complete(path):
        raise UsageError(f"{path} is not complete ({run.header.get('status')}); a baseline must be")
    failed = [row.case.id for row in run.measurements if row.status in FAILED]
    if failed:
        raise UsageError(f"{path}: {len(failed)} of its cases failed, so it cannot be a baseline: {failed[0]}")
    scenario = scenario_of(run)
    if path.resolve().parent != (HOME / scenario).resolve():
        stamp = re.sub(r"[^0-9T]", "", str(run.header.get("started", "")).partition("+")[0]) or "run"
        copied = folder(scenario, name or stamp)
        if copied.exists():
            raise UsageError(f"{copied} exists already; give another --name")
        copy(path, copied)
        path = copied
    write_file(HOME / scenario / CURRENT, f"{path.name}\n")
    return run, path


def complete(folder: Path) -> bool:
    """Whether a finished run is there; one that was broken off can be gone on with."""
    return (folder / HEADER).exists() and Run.read(folder).header.get("status") == "complete"


def copy(run: Path, to: Path) -> None:
    """What of a run cannot be derived again, with its canaries."""
    try:
        for source, target in ((run, to), (run / CANARY, to / CANARY)):
            if (source / HEADER).exists():
                target.mkdir(parents=True)
                for name in KEPT:
                    shutil.copyfile(source / name, target / name)
    except OSError as problem:
        raise StoreError(f"{to}: cannot be written: {problem.strerror}") from problem


def every() -> Iterator[Stored]:
    """All that are kept below the current folder, by scenario and age. Raises StoreError for one that is damaged."""
    found = [Run.read(header.parent) for header in sorted(HOME.glob(f"*/*/{HEADER}"))]
    for run in sorted(found, key=lambda one: (one.folder.parent.name, str(one.header.get("started")))):
        scenario, name = run.folder.parent.name, run.folder.name
        yield Stored(scenario, name, run, current(scenario) == name, (run.folder / CANARY / HEADER).exists())


def scenario_of(run: Run) -> str:
    return str(run.header.get("scenario", {}).get("name", "")) or "unnamed"
