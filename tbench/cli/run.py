"""`tbench run`: scenarios measured one after the other, progress on stderr, tables on stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tbench import api
from tbench.analysis.run import Run
from tbench.catalog import get as get_component
from tbench.claims import Assessment, article
from tbench.claims.ending import ending
from tbench.cli.patience import patience
from tbench.cli.request import Request
from tbench.errors import CaseFailed, UsageError
from tbench.records import FAILED
from tbench.report import render
from tbench.report.live import Progress
from tbench.scenario import Scenario, load


def run(paths: Sequence[str], request: Request) -> int:
    """Measure every scenario; raises CaseFailed (exit code 4) at the end if a case was wrong, crashed or hung."""
    if paths.count("-") > 1:
        raise UsageError("standard input (-) can be read only once; name the other files")
    scenarios = [read(path, request) for path in paths]  # all mistakes before anything is measured
    refuse_equal_names(scenarios)
    if request.dry_run:
        from tbench.cli.dry_run import dry_run

        for scenario in scenarios:
            dry_run(scenario, request)
        return 0
    failed: list[str] = []
    for scenario in scenarios:
        assessments: list[Assessment] = []
        progress = Progress()
        with patience(progress.warn) as enough:
            result = api.run(
                scenario,
                out=folder(scenario, request, several=len(scenarios) > 1),
                device=request.device,
                select=request.select,
                seed=request.seed,
                resume=request.resume,
                where=request.where,
                listener=progress,
                command=request.command,
                claims=assessments.extend,
                enough=enough,
            )
        if request.cases or not assessments or not scenario.parts:
            print(render(result, "text"))
        if scenario.parts and assessments:
            sys.stdout.write(ending(article(), assessments, result, "en"))
        print(f"{result.folder}: results.csv, report.md, measurements.jsonl", file=sys.stderr)
        failed += failures(result)
    if failed:
        raise CaseFailed(f"{len(failed)} failed:\n" + "\n".join(failed))
    return 0


def read(path: str, request: Request) -> Scenario:
    if request.quick and request.rigorous:
        raise UsageError("--quick and --rigorous are mutually exclusive")
    scenario = load(path, request.overrides, quick=request.quick, rigorous=request.rigorous)
    if not request.user_code:
        refuse_user_code(scenario, path)
    return scenario if request.max_time is None else with_max_time(scenario, request.max_time)


def refuse_user_code(scenario: Scenario, path: str) -> None:
    """Raises UsageError where a case would run code that the scenario brings."""
    for case in (point.on("cpu") for part in scenario.anywhere() for point in part.points):
        component = get_component(case.component)
        if component.is_own(case):
            named = case[component.variant_axis]
            raise UsageError(f"{path}: {component.variant_axis}: {named} is a custom kernel, refused by --no-user-code")


def with_max_time(scenario: Scenario, seconds: float) -> Scenario:
    """The scenario, and every part of a suite, with another limit for a case's samples."""
    if not 0 < seconds < float("inf"):
        raise UsageError(f"--max-time {seconds:g}: must be a positive number of seconds")
    return scenario.sampled(lambda old: replace(old, max_time=seconds, min_time=min(seconds, old.min_time)))


def refuse_equal_names(scenarios: Sequence[Scenario]) -> None:
    """Each scenario has a folder of its name."""
    names = [scenario.name for scenario in scenarios]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two scenarios are named {name!r}; run them separately or rename one")


def folder(scenario: Scenario, request: Request, several: bool) -> Path | None:
    """Where the run goes: -o itself for one scenario, a folder below it for each of several."""
    if request.output is None:
        return None
    if not request.output:
        raise UsageError("-o '': names no folder; write one, or leave -o out")
    return Path(request.output) / scenario.name if several else Path(request.output)


def failures(run: Run) -> list[str]:
    return [
        f"  {row.measurement.case.id}: {row.status}: {row.reasons[0].text if row.reasons else 'no reason'}"
        for row in run.rows
        if row.status in FAILED
    ]
