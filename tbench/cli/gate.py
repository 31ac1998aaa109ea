"""`tbench gate`: one line a case on standard output, and the exit code says it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tbench.cli.compare import share
from tbench.cli.output import stop_writing
from tbench.errors import Inconclusive, UsageError
from tbench.gate import ci, words
from tbench.gate.outcome import Result
from tbench.gate.sides import Asked, read


@dataclass(frozen=True)
class Options:
    """What `tbench gate` was asked for, beside what is to be compared."""

    baseline: str | None
    seed: int
    tolerance: str | None
    allow_inconclusive: bool
    junit: str | None
    command: Sequence[str] = ()


def gate(asked: Asked, options: Options) -> int:
    """Compare, print and tell whoever runs it. Returns the exit code."""
    tolerance = None if options.tolerance is None else share(options.tolerance)
    if options.junit:
        ci.refuse_unwritable(options.junit)
    if options.baseline is not None:
        if asked.against or asked.base_python or asked.new_python:
            raise UsageError(
                "--baseline is a run of an earlier day, compared with this Python's; give it or --against, --base-env "
                "and --new-env, not both"
            )
        from tbench.gate.stored import against_baseline

        result = against_baseline(asked, options.baseline, seed=options.seed, tolerance=tolerance, tell=tell)
    else:
        from tbench.gate.run import run

        try:
            result = run(asked, seed=options.seed, tolerance=tolerance, tell=tell, show=at, command=options.command)
        except Inconclusive as nothing:
            if not options.allow_inconclusive:
                raise
            tell(f"inconclusive, which was allowed: {nothing}")
            return 0
    at("")
    ci.announce(result)
    if options.junit:
        ci.write_junit(result, options.junit)
    try:
        show(result)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the lines has seen enough; the verdict stands
        stop_writing()
    code = result.exit_code
    if code == 3 and options.allow_inconclusive:
        print("inconclusive, which was allowed", file=sys.stderr)
        return 0
    return code


def show(result: Result) -> None:
    for one in result.outcomes:
        print(words.line(one))
    print(f"{words.verdict(result)} {words.summary(result)}", file=sys.stderr)
    print(words.control(result), file=sys.stderr)


def tell(message: str) -> None:
    at("")
    print(f"gate: {message}", file=sys.stderr)


def at(message: str) -> None:
    """A line that the next one replaces; only on a terminal, for a log is no place for it."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{message}")
        sys.stderr.flush()


def folder(asked: Asked, output: str | None) -> Asked:
    """The same with the folder to write to: what -o says, or one of its own for every run."""
    if output is not None:
        return replace(asked, out=Path(output))
    return replace(asked, out=Path("results") / "gate" / read(asked, asked.path).name / stamp())


def stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
