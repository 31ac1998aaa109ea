"""Where continuous integration looks: GitHub's summary and annotations, a JUnit file."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tbench.errors import UsageError
from tbench.gate.outcome import Outcome, Result, Verdict
from tbench.gate.words import line, markdown, workflow_commands
from tbench.report.exchange import junit
from tbench.report.exchange.junit import TestCase

OUTCOMES: Mapping[Verdict, junit.Outcome] = {
    "SLOWER": "failed",
    "BIGGER": "failed",
    "BROKEN": "error",
    "INCONCLUSIVE": "skipped",
    "MISSING": "skipped",
    "SKIPPED": "skipped",
}


def announce(result: Result, environment: Mapping[str, str] = os.environ) -> None:
    """On GitHub: the result as Markdown on the job's page, and a mark at the scenario's line for what failed.

    Annotations go to standard error, which GitHub reads too: standard output has a line a case and nothing else.
    """
    if page := environment.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(page).open("a", encoding="utf-8") as file:
                file.write(markdown(result))
        except OSError as problem:
            print(f"warning: {page}: the summary cannot be written: {problem.strerror}", file=sys.stderr)
    if environment.get("GITHUB_ACTIONS") == "true":
        for command in workflow_commands(result):
            print(command, file=sys.stderr)


def refuse_unwritable(path: str) -> None:
    """Before anything is measured: raises UsageError where no file can be written."""
    try:
        Path(path).touch()
    except OSError as problem:
        raise UsageError(f"--junit {path}: cannot be written: {problem.strerror}; name another file") from problem


def write_junit(result: Result, path: str) -> None:
    """Raises UsageError where the file cannot be written."""
    try:
        tests = [as_test(one) for one in result.outcomes]
        Path(path).write_text(junit.testsuite(f"tbench gate {result.scenario}", tests), encoding="ascii")
    except OSError as problem:
        raise UsageError(f"--junit {path}: cannot be written: {problem.strerror}; name another file") from problem


def as_test(one: Outcome) -> TestCase:
    """A regression is a failure, a broken case an error; what stayed open or could not run is skipped."""
    kind, _, rest = one.case.partition(" ")
    seconds = [value for value in (one.base_seconds, one.new_seconds) if value is not None]
    ending = OUTCOMES.get(one.verdict, "passed")
    why = "" if ending == "passed" else f"{one.verdict}: {one.reason}"
    return TestCase(kind, rest or one.case, sum(seconds) if seconds else None, ending, why, line(one), one.verdict)
