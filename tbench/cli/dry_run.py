"""`tbench run --dry-run`: what would be measured, what it would take, what is left out and why. Nothing is timed."""

from __future__ import annotations

import sys

from tbench.catalog import get as get_component
from tbench.cli.request import Request
from tbench.execution.executor import Executor, WorkerFailed
from tbench.execution.runner import Prepared, prepared
from tbench.records import Case, Value, text
from tbench.scenario import Scenario
from tbench.tables import units
from tbench.tables.table import Cell, Column, Table
from tbench.tables.text import PROSE, Sheet

PROBE_SECONDS = 180.0  # a variant may compile
SMALL = 512  # length at which a variant is tried out


def dry_run(scenario: Scenario, request: Request) -> None:
    """Print the plan of one scenario. Every variant is tried once at a small size, to prove that it runs."""
    with prepared(scenario, request.device, request.select, request.executor, warn, alone=False) as (ready, executor):
        outlook = {row.case: f"{row.status}: {row.reason}" for row in ready.left_out} | tried(ready, executor)
        cases = list(ready.baselines)
        varying = [name for name in names(cases) if len({case.get(name) for case in cases}) > 1]
        constant = [name for name in names(cases) if name not in varying and cases[0].get(name) is not None]
        plans = {case: plan for plan in ready.plans for case in cases if case in plan.predicted_bytes}
        sheet = Sheet(wide=PROSE)
        sheet.say(f"{scenario.title}: {len(cases)} cases on {ready.environment.device_name}")
        sheet.table(
            Table(
                (
                    *(Column(name, right=False) for name in varying),
                    *(Column("peak memory"), Column("time"), Column("outlook", right=False)),
                ),
                tuple(
                    (
                        *(Cell(shown(case.get(name))) for name in varying),
                        Cell(units.size(one.predicted_bytes[case])),
                        Cell(predicted(one.predicted_seconds(case))),
                        Cell(outlook[case]),
                    )
                    for case, one in plans.items()
                ),
                " ".join(f"{name}={shown(cases[0].get(name))}" for name in constant),
            ),
            caption="",
        )
        total = ready.predicted_seconds()
        if total is not None:
            sheet.say(f"about {total:.0f} s in all, from this machine's ceilings; compiling comes on top")
        print(sheet, end="")


def warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def shown(value: Value | None) -> str:
    return "" if value is None else text(value)


def predicted(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"


def names(cases: list[Case]) -> list[str]:
    """What identifies a case, by name, in the order of the first that has it."""
    return list(dict.fromkeys(name for case in cases for name in ("component", "phase", *dict(case.items()))))


def tried(ready: Prepared, executor: Executor) -> dict[Case, str]:
    """For each case `runs`, or why it does not: every variant, pattern and phase is run once, at a small size."""
    proof: dict[Case, str] = {}
    for case in ready.cases:
        small = trial(case)
        if small in proof:
            continue
        worker = executor.start()
        try:
            ran = worker.ask("probe", PROBE_SECONDS, case=small, seed=1)
            proof[small] = "runs" if ran == case[get_component(case.component).variant_axis] else f"runs {ran}"
        except WorkerFailed as failure:
            proof[small] = f"{failure.status}: {failure.reason}"
        finally:
            worker.close()
    return {case: proof[trial(case)] for case in ready.cases}


def trial(case: Case) -> Case:
    """The case a probe runs: the same variant, short."""
    return case.with_(seq_len=min(SMALL, case.integer("seq_len"))) if "seq_len" in dict(case.axes) else case
