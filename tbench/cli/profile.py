"""`tbench profile`: where the time and memory of one case go, or of two side by side. Tables on stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tbench.cli.output import stamp, warn
from tbench.errors import StoreError
from tbench.execution.local import LocalExecutor
from tbench.execution.lock import device_lock
from tbench.execution.prepare import preloaded
from tbench.execution.workplace import Machine
from tbench.profiling.run import profile as profiles_of
from tbench.profiling.run import refuse, trace_name
from tbench.profiling.tables import alone, side_by_side
from tbench.scenario import expand, load
from tbench.tables.text import PROSE, Sheet


def profile(
    path: str,
    *,
    select: Sequence[str],
    overrides: Sequence[str],
    quick: bool,
    device: str,
    output: str | None,
    seed: int,
) -> None:
    """Profile what -k selects. Raises ScenarioError, UsageError, NothingSelected, StoreError and CaseFailed."""
    scenario = load(path, overrides, quick=quick)
    parts = scenario.parts or (scenario,)
    with LocalExecutor(modules=preloaded(parts)) as executor:
        machine = Machine(executor)
        device = machine.resolve(device)
        cases = expand(scenario, device, select)
        refuse(cases)
        folder = made(Path(output) if output else default(scenario.name))
        with device_lock(
            device, warn, uuid=machine.uuid(device)
        ):  # a profiled run and a timed one would disturb each other
            found = profiles_of(scenario, cases, folder, executor, seed, say)
    sheet = Sheet(wide=PROSE)
    for one in found:
        sheet.say(one.case.id, "loud")
        sheet.table(alone(one))
        sheet.say()
    if len(found) == 2:
        sheet.table(side_by_side(*found), caption="loud")
        sheet.say()
    traces = ", ".join(str(folder / trace_name(number, len(found))) for number in range(1, len(found) + 1))
    sheet.lines += [f"trace (https://ui.perfetto.dev): {traces}", f"memory: {folder / 'memory.svg'}"]
    print(sheet, end="")


def default(name: str) -> Path:
    """`results/profiles/<name>/<UTC stamp>` below the current directory."""
    return Path("results") / "profiles" / name / stamp()


def made(folder: Path) -> Path:
    """The folder, which must not hold anything yet. Raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StoreError(f"{folder}: cannot be created: {problem.strerror}; name another folder with -o") from problem
    if any(folder.iterdir()):
        raise StoreError(f"{folder} is not empty: name another folder with -o")
    return folder


def say(what: str) -> None:
    print(f"profiling {what}", file=sys.stderr, flush=True)
