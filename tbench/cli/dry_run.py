"""`tbench run --dry-run`: what would be measured, what it would take, what is left out and why. Nothing is timed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tbench.analysis.axes import names, varying
from tbench.catalog import get as get_component
from tbench.cli.output import warn
from tbench.cli.request import Request
from tbench.errors import UsageError
from tbench.execution.executor import Executor, WorkerFailed
from tbench.execution.plan import Plan
from tbench.execution.prepare import Prepared, prepared
from tbench.records import Case, Value, text
from tbench.scenario import Scenario
from tbench.tables import units
from tbench.tables.table import Cell, Column, Table
from tbench.tables.text import PROSE, Sheet

PROBE_SECONDS = 180.0  # a variant may compile
SMALL = 512  # length at which a variant is tried out
MOST_PROBES = 40


def dry_run(scenario: Scenario, request: Request) -> None:
    """Print the plan of one scenario. Every variant is tried at a small size, to prove that it runs."""
    request.where.check()
    if request.where.executor != "local":
        raise UsageError("--dry-run plans for this machine: leave out --executor, or run a few cases with -k")
    with prepared(scenario, request.device, request.select, warn, alone=False) as (ready, executor):
        outlook = {row.case: f"{row.status}: {row.reason}" for row in ready.left_out} | tried(ready, executor)
        sheet = Sheet(wide=PROSE)
        sheet.say(f"{scenario.title}: {units.counted(len(ready.baselines), 'case')} on {ready.environment.device_name}")
        parts = scenario.on(ready.device).parts
        for title, plan in zip([part.title for part in parts] or [""], ready.plans, strict=True):
            cases = plan.predicted_bytes
            if cases and title:
                sheet.say()
                sheet.say(f"{title}: {units.counted(len(cases), 'case')}", "loud")
            if cases:
                sheet.table(planned(plan, outlook), caption="")
        if parts:
            sheet.say()
        total = ready.predicted_seconds()
        if total is not None:
            sheet.say(f"about {total:.0f} s in total, estimated from this machine's peaks; compilation is extra")
        print(sheet, end="")


def planned(plan: Plan, outlook: Mapping[Case, str]) -> Table:
    """One line per case: the axes that vary, what it takes, and whether it runs."""
    cases = list(plan.predicted_bytes)
    apart = varying(cases)
    shared = [(name, value) for name in names(cases) if name not in apart and (value := cases[0].get(name)) is not None]
    lines = []
    for case in cases:
        seconds = plan.predicted_seconds(case)
        words = ["" if (value := case.get(name)) is None else text(value) for name in apart]
        words += [units.size(plan.predicted_bytes[case]), "" if seconds is None else f"{seconds:.1f} s"]
        lines.append(tuple(map(Cell, [*words, outlook[case]])))
    columns = [Column(name, right=False) for name in apart] + [Column("peak memory"), Column("time")]
    return Table(
        (*columns, Column("outlook", right=False)),
        tuple(lines),
        " ".join(f"{name}={text(value)}" for name, value in shared),
    )


def tried(ready: Prepared, executor: Executor) -> dict[Case, str]:
    """For each case `runs`, or why it does not, as shown by the small one that stands for it."""
    standing = small(ready.cases)
    proof: dict[Case, str] = {}
    for case in dict.fromkeys(standing.values()):
        try:
            worker = executor.start()
            try:
                ran = worker.ask("probe", PROBE_SECONDS, case=case, seed=1)
            finally:
                worker.close()
        except WorkerFailed as failure:
            proof[case] = f"{failure.status}: {failure.reason}"
            continue
        proof[case] = "runs" if ran == case[get_component(case.component).variant_axis] else f"runs {ran}"
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
