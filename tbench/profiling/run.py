"""Profiles cases in fresh workers, the device held, and writes what they gave into a folder of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tbench.catalog import get as get_component
from tbench.errors import CaseFailed, UsageError
from tbench.execution.executor import Executor, WorkerFailed
from tbench.execution.prepare import at_home
from tbench.profiling.model import Profile
from tbench.profiling.picture import picture
from tbench.records import Case
from tbench.scenario import Scenario
from tbench.store import write_file
from tbench.tables.json import dumps

MOST = 2
PROFILE_SECONDS = 600.0  # a variant may compile


def refuse(cases: Sequence[Case]) -> None:
    """Raises UsageError for cases that cannot be profiled: too many, or not timed, or not supported here."""
    if len(cases) > MOST:
        raise UsageError(
            f"{len(cases)} cases are selected, and one or two can be profiled: narrow them with -k, e.g. "
            f"-k '{cases[0].id}'"
        )
    for case in cases:
        component = get_component(case.component)
        if component.experiment:
            raise UsageError(f"{case.id}: {case.component} is not timed; choose a timed case with -k")
        if why := component.unsupported(case):
            raise UsageError(f"{case.id}: {why}")


def profile(
    scenario: Scenario, cases: Sequence[Case], folder: Path, executor: Executor, seed: int, say: Callable[[str], None]
) -> list[Profile]:
    """Profile each case, and write traces, figures and the picture into `folder`. Raises CaseFailed and StoreError."""
    here = at_home(scenario, cases, executor)
    found = []
    for number, case in enumerate(cases, start=1):
        say(case.id)
        trace = folder / trace_name(number, len(cases))
        worker = here.start(case)
        try:
            answer = worker.ask(
                "profile",
                PROFILE_SECONDS,
                case=case,
                sampling=scenario.sampling_of(case),
                seed=seed,
                trace=str(trace.resolve()),
            )
        except WorkerFailed as failure:
            raise CaseFailed(f"{case.id}: {failure.status}: {failure.reason}") from None
        finally:
            worker.close()
        found.append(Profile.of(case, answer))
    write_file(folder / "profile.json", dumps({"schema_version": 1, "profiles": [one.to_dict() for one in found]}))
    write_file(folder / "memory.svg", picture(found))
    return found


def trace_name(number: int, of: int) -> str:
    return "trace.json" if of == 1 else f"trace-{number}.json"
