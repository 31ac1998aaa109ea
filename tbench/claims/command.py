"""The command that measures just this again, or decides what was left open."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from tbench.analysis.run import Run
from tbench.claims.assess import Judged, RegimeResult
from tbench.records import Case, Value, text

QUICK, RIGOROUS = "--quick", "--rigorous"


def commands(result: RegimeResult) -> list[str]:
    """One command for each run the observations are from; where there are none, the scenario that would give some."""
    cases: dict[int, tuple[Run, dict[str, None]]] = {}
    for one in result.judged:
        run = one.observation.run
        if run is not None:
            cases.setdefault(id(run), (run, {}))[1].update(dict.fromkeys(one.observation.cases))
    if not cases:
        return [shlex.join(["tbench", "run", result.regime.scenario])]
    return list(dict.fromkeys(_again(run, set(used), result.regime.scenario) for run, used in cases.values()))


def deciding(points: Sequence[Judged]) -> list[str]:
    """Commands that would decide open points: the same cases with more samples and seeds, one for each run.

    A quick run is done in full, a full one rigorously; but training in full has all the seeds that there are.
    """
    cases: dict[int, tuple[Run, dict[str, None]]] = {}
    for one in points:
        run = one.observation.run
        if run is not None and (quick(run) or one.observation.point["component"] != "training"):
            cases.setdefault(id(run), (run, {}))[1].update(dict.fromkeys(one.observation.cases))
    return list(dict.fromkeys(_again(run, set(used), more=True) for run, used in cases.values()))


def quick(run: Run) -> bool:
    return QUICK in (run.again() or ())


def _again(run: Run, used: set[str], scenario: str = "SCENARIO", more: bool = False) -> str:
    """The run's own command with a further selection: at least the cases used, and as few others as terms allow.

    `more`: at the next pace.
    """
    every = [measurement.case for measurement in run.measurements]
    terms = selection_terms([case for case in every if case.id in used], every)
    words = run.again() or []
    if words[:1] != ["run"]:
        words = ["run", scenario]
    if more and QUICK in words:
        words = [word for word in words if word != QUICK]
        terms = [term for term in terms if not term.startswith("budget=")]  # which is quick there
    elif more and RIGOROUS not in words:
        words = [*words, RIGOROUS]
    return shlex.join(["tbench", *words, *(["-k", " ".join(terms)] if terms else [])])


def selection_terms(chosen: Sequence[Case], every: Sequence[Case]) -> list[str]:
    """`axis=value,value` for each axis in which the chosen cases have fewer values than those left so far."""
    left, terms = list(every), []
    axes = dict.fromkeys(axis for case in chosen for axis, _ in _items(case))
    for axis in axes:
        wanted = dict.fromkeys(_value(case, axis) for case in chosen)
        if None in wanted or {_value(case, axis) for case in left} <= set(wanted):
            continue
        left = [case for case in left if _value(case, axis) in wanted]
        terms.append(f"{axis}={','.join(text(value) for value in wanted if value is not None)}")
    return terms


def _items(case: Case) -> tuple[tuple[str, Value], ...]:
    return (("component", case.component), ("phase", case.phase), *case.axes, ("dtype", case.dtype))


def _value(case: Case, axis: str) -> Value | None:
    return case.get(axis)
