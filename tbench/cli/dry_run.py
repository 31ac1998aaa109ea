"""`tbench run --dry-run`: what would be measured, what it would take, what is left out and why. Nothing is timed."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tbench.catalog import get as get_component
from tbench.cli.request import Request
from tbench.execution.executor import Executor, WorkerFailed
from tbench.execution.runner import Prepared, prepared
from tbench.records import Case, Value, text
from tbench.report import units
from tbench.scenario import Scenario

PROBE_SECONDS = 180.0  # a variant may compile
WIDE = 200  # columns, where no terminal says how many there are
SMALL = 512  # length at which a variant is tried out
MOST_PROBES = 40


def dry_run(scenario: Scenario, request: Request) -> None:
    """Print the plan of one scenario. Every variant is tried at a small size, to prove that it runs."""
    with prepared(scenario, request.device, request.select, request.executor, warn, alone=False) as (ready, executor):
        outlook = {row.case: f"{row.status}: {row.reason}" for row in ready.left_out} | tried(ready, executor)
        cases = list(ready.baselines)
        every = names(cases)
        varying = [name for name in every if len({case.get(name) for case in cases}) > 1]
        constant = [name for name in every if name not in varying]
        console = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE)
        console.print(f"{scenario.title}: {len(cases)} cases on {ready.environment.device_name}")
        console.print(
            " ".join(f"{name}={text(value)}" for name in constant if (value := cases[0].get(name)) is not None)
        )
        table = Table(*varying, box=None, pad_edge=False)
        for column in ("peak memory", "time", "outlook"):
            table.add_column(column, justify="left" if column == "outlook" else "right", overflow="fold")
        for plan in ready.plans:
            for case in plan.predicted_bytes:
                seconds = plan.predicted_seconds(case)
                table.add_row(
                    *(text(value) if (value := case.get(name)) is not None else "" for name in varying),
                    units.size(plan.predicted_bytes[case]),
                    "" if seconds is None else f"{seconds:.1f} s",
                    escape(outlook[case]),
                )
        console.print(table)
        total = ready.predicted_seconds()
        if total is not None:
            console.print(f"about {total:.0f} s in all, from this machine's ceilings; compiling comes on top")


def warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def names(cases: list[Case]) -> list[str]:
    """What identifies a case, by name, in the order of the first that has it."""
    return list(dict.fromkeys(name for case in cases for name in ("component", "phase", *dict(case.items()))))


def tried(ready: Prepared, executor: Executor) -> dict[Case, str]:
    """For each case `runs`, or why it does not, as shown by the small one that stands for it."""
    standing = small(ready.cases)
    proof: dict[Case, str] = {}
    for case in dict.fromkeys(standing.values()):
        worker = executor.start()
        try:
            ran = worker.ask("probe", PROBE_SECONDS, case=case, seed=1)
            proof[case] = "runs" if ran == case[get_component(case.component).variant_axis] else f"runs {ran}"
        except WorkerFailed as failure:
            proof[case] = f"{failure.status}: {failure.reason}"
        finally:
            worker.close()
    return {case: proof[one] for case, one in standing.items()}


def small(cases: Sequence[Case]) -> dict[Case, Case]:
    """The small case that is run for each: the same, short. Where that makes too many, one for all cases that differ
    in numbers alone (not in variant, pattern, phase …)."""
    short = {case: shortened(case) for case in cases}
    if len(set(short.values())) <= MOST_PROBES:
        return short
    first: dict[tuple[Value, ...], Case] = {}
    return {case: first.setdefault(kind(case), short[case]) for case in cases}


def kind(case: Case) -> tuple[Value, ...]:
    """What of a case is no number."""
    return (case.component, case.phase, *(value for _, value in case.items() if type(value) is not int))


def shortened(case: Case) -> Case:
    return case.with_(seq_len=min(SMALL, case.integer("seq_len"))) if "seq_len" in dict(case.axes) else case
