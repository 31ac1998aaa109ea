"""Where continuous integration looks: GitHub's summary and annotations, a JUnit file."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tbench.errors import UsageError
from tbench.gate.outcome import FAILING, Outcome, Result
from tbench.gate.words import line, markdown, workflow_commands


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


def write_junit(result: Result, path: str) -> None:
    """Raises UsageError where the file cannot be written."""
    from tbench.report.exchange.junit import testsuite

    try:
        Path(path).write_text(testsuite(f"tbench gate {result.scenario}", [test(one) for one in result.outcomes]))
    except OSError as problem:
        raise UsageError(f"--junit {path}: cannot be written: {problem.strerror}; name another file") from problem


def test(one: Outcome) -> Any:
    """A regression is a failure, a broken case an error; what stayed open or could not run is skipped."""
    from tbench.report.exchange.junit import TestCase

    kind, _, rest = one.case.partition(" ")
    outcome = {"SLOWER": "failed", "BIGGER": "failed", "BROKEN": "error", "SKIPPED": "skipped"}.get(
        one.verdict, "skipped" if one.verdict in FAILING else "passed"
    )
    seconds = (one.base_seconds or 0.0) + (one.new_seconds or 0.0)
    return TestCase(kind, rest or one.case, seconds or None, outcome, f"{one.verdict}: {one.reason}", line(one))
