"""Where continuous integration looks: GitHub's summary and annotations, a JUnit file."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tbench.comparison.model import Verdict
from tbench.errors import UsageError
from tbench.gate.outcome import Outcome, Result
from tbench.gate.text import line, markdown, markdown_of_nothing, workflow_commands
from tbench.report.exchange import junit
from tbench.report.exchange.junit import TestCase

SUMMARY_LIMIT = 1000 * 1000  # bytes: GitHub drops a step's summary above 1 MiB, and other steps' text is not in it
OUTCOMES: Mapping[Verdict, junit.Outcome] = {
    Verdict.SLOWER: "failed",
    Verdict.BIGGER: "failed",
    Verdict.BROKEN: "error",
    Verdict.INCONCLUSIVE: "skipped",
    Verdict.MISSING: "skipped",
    Verdict.SKIPPED: "skipped",
}


def announce(result: Result, environment: Mapping[str, str] = os.environ) -> None:
    """On GitHub: the result as Markdown on the job's page, and a mark at the scenario's line for what failed.

    Annotations go to standard error, which GitHub reads too: standard output has one line per case and nothing else.
    """
    put_on_page(markdown(result, SUMMARY_LIMIT), environment)
    if environment.get("GITHUB_ACTIONS") == "true":
        for command in workflow_commands(result):
            print(command, file=sys.stderr)


def announce_nothing(scenario: str, why: str, environment: Mapping[str, str] = os.environ) -> None:
    """The same for a gate that ended without a verdict on any case."""
    put_on_page(markdown_of_nothing(scenario, why), environment)


def put_on_page(text: str, environment: Mapping[str, str]) -> None:
    if page := environment.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(page).open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as problem:
            print(f"warning: {page}: the summary cannot be written: {problem.strerror}", file=sys.stderr)


def clear_junit(path: str) -> None:
    """Before anything is measured: what an earlier run has left must not pass for this one's result.

    Raises UsageError where no file can be written.
    """
    file = Path(path)
    try:
        file.open("w").close()
    except OSError as problem:
        raise unwritable(path, problem) from problem
    if file.is_file() and not file.is_symlink():  # `/dev/stdout` and the like stay
        with suppress(OSError):
            file.unlink()


def write_junit(result: Result, path: str) -> None:
    """Raises UsageError where the file cannot be written."""
    write_suite(result.scenario, [as_test(one) for one in result.outcomes], path)


def write_junit_of_nothing(scenario: str, why: str, path: str) -> None:
    """One test that was skipped, and why: there is no verdict on any case. Raises UsageError as `write_junit`."""
    write_suite(scenario, [TestCase("gate", scenario, None, "skipped", why, why, Verdict.INCONCLUSIVE)], path)


def write_suite(name: str, tests: Sequence[TestCase], path: str) -> None:
    try:
        Path(path).write_text(junit.testsuite(f"tbench gate {name}", tests), encoding="ascii")
    except OSError as problem:
        raise unwritable(path, problem) from problem


def unwritable(path: str, problem: OSError) -> UsageError:
    return UsageError(f"--junit {path}: cannot be written: {problem.strerror}; name another file")


def as_test(one: Outcome) -> TestCase:
    """A regression is a failure, a broken case an error; what stayed open or could not run is skipped."""
    kind, _, rest = one.case.partition(" ")
    seconds = [value for value in (one.base_seconds, one.new_seconds) if value is not None]
    ending = OUTCOMES.get(one.verdict, "passed")
    why = "" if ending == "passed" else f"{one.verdict}: {one.reason}"
    return TestCase(kind, rest or one.case, sum(seconds) if seconds else None, ending, why, line(one), one.verdict)
