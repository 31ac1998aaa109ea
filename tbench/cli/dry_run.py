"""`tbench run --dry-run`: what would be measured, what it would take, what is left out and why. Nothing is timed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tbench.components import get as get_component
from tbench.execution.executor import Executor, WorkerFailed
from tbench.execution.runner import Prepared, prepared
from tbench.records import Case
from tbench.report import units
from tbench.scenario import Scenario

if TYPE_CHECKING:
    from tbench.cli.run import Request

PROBE_SECONDS = 180.0  # a variant may compile
SMALL = 64  # length at which a variant is tried out


def dry_run(scenario: Scenario, request: Request) -> None:
    """Print the plan of one scenario. Every variant is tried once at a small size, to prove that it runs."""
    with prepared(scenario, request.device, request.select, request.executor, warn) as (ready, executor):
        proof = probes(ready, executor)
        console = Console(soft_wrap=True)
        table = Table(title=f"{scenario.name}: {len(ready.cases)} cases on {ready.environment.device_name}")
        for column in ("case", "peak memory", "time", "tried"):
            table.add_column(column, justify="left" if column in ("case", "tried") else "right", overflow="fold")
        for plan in ready.plans:
            for case in plan.cases:
                seconds = plan.predicted_seconds(case)
                table.add_row(
                    escape(case.id),
                    units.size(plan.predicted_bytes[case]),
                    "unknown" if seconds is None else f"{seconds:.1f} s",
                    escape(proof[trial(case)]),
                )
        console.print(table)
        for row in ready.left_out:
            console.print(f"left out  {escape(row.case.id)}: {row.status}: {escape(row.reason)}", highlight=False)
        total = ready.predicted_seconds()
        if total is not None:
            console.print(
                f"about {total:.0f} s in all, beside compilation, from this machine's ceilings", highlight=False
            )


def warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def probes(ready: Prepared, executor: Executor) -> dict[Case, str]:
    """Run each distinct variant, pattern and phase once at a small size: `runs`, or why it does not."""
    outcome: dict[Case, str] = {}
    for case in ready.cases:
        small = trial(case)
        if small in outcome:
            continue
        worker = executor.start()
        try:
            ran = worker.ask("probe", PROBE_SECONDS, case=small, seed=1)
            outcome[small] = "runs" if ran == case[get_component(case.component).variant_axis] else f"runs {ran}"
        except WorkerFailed as failure:
            outcome[small] = f"{failure.status}: {failure.reason}"
        finally:
            worker.close()
    return outcome


def trial(case: Case) -> Case:
    """The case a probe runs: the same variant, short."""
    return case.with_(seq_len=min(SMALL, case.integer("seq_len"))) if "seq_len" in dict(case.axes) else case
