"""`tbench baseline`: measure and keep, list, and choose what `--baseline current` means."""

from __future__ import annotations

import sys

from tbench.cli.output import stamp
from tbench.errors import CaseFailed, UsageError
from tbench.gate import baselines
from tbench.gate.options import Options
from tbench.records import FAILED
from tbench.tables import units
from tbench.tables.table import Table
from tbench.tables.text import PROSE, Sheet

COLUMNS = ("scenario", "name", "measured", "machine", "torch", "cases", "canaries", "current")


def save(options: Options, name: str | None) -> None:
    """Measure the scenario and the canaries into a baseline's folder; the first of a scenario becomes current."""
    from tbench.gate.stored import measure, on_device

    scenario = options.read().name
    folder = baselines.folder(scenario, name or stamp())
    if baselines.complete(folder):
        raise UsageError(f"{folder} already exists; choose another --name")
    run = measure(on_device(options), folder, keep)
    print(folder)
    failed = [row.case.id for row in run.measurements if row.status in FAILED]
    if failed:
        raise CaseFailed(
            f"{len(failed)} failed, so this cannot serve as a baseline; fix them or exclude them with -k, and save "
            "under another --name:\n" + "\n".join(failed)
        )
    if baselines.current(scenario) is None:
        baselines.promote(str(folder), None)
        print(f"it is the current baseline of {scenario}: `tbench gate … --baseline current`", file=sys.stderr)


def keep(message: str) -> None:
    print(f"baseline: {message}", file=sys.stderr)


def show() -> None:
    kept = list(baselines.every())
    if not kept:
        print(f"no baseline in {baselines.HOME}: create one with `tbench baseline save SCENARIO`", file=sys.stderr)
        return
    sheet = Sheet(wide=PROSE)
    sheet.table(Table.of_words(COLUMNS, map(described, kept)))
    print(sheet, end="")


def described(one: baselines.Stored) -> tuple[str, ...]:
    here = one.run.environment
    return (
        one.scenario,
        one.name,
        str(one.run.header.get("started", ""))[:16].replace("T", " "),
        f"{here.device_name}, {here.threads} threads, {units.size(here.memory_bytes)}",
        here.torch,
        str(len(one.run.measurements)),
        "yes" if one.canaries else "no",
        "current" if one.current else "",
    )


def promote(run: str, name: str | None) -> None:
    _, folder = baselines.promote(run, name)
    print(f"{folder} is the current baseline of {folder.parent.name}")
