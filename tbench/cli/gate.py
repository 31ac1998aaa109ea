"""`tbench gate`: one line a case on standard output, and the exit code says it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tbench.cli.compare import share
from tbench.cli.output import say
from tbench.errors import Inconclusive, UsageError
from tbench.gate import ci, text
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
    output: str | None
    command: Sequence[str] = ()


def gate(asked: Asked, options: Options) -> int:
    """Compare, print and tell whoever runs it. Returns the exit code."""
    if options.junit:
        ci.clear_junit(options.junit)
    asked = folder(asked, options.output)
    try:
        result = compared(asked, options)
    except Inconclusive as nothing:
        at("")
        ci.announce_nothing(asked.path, str(nothing))
        if options.junit:
            ci.write_junit_of_nothing(asked.path, str(nothing), options.junit)
        if not options.allow_inconclusive:
            raise
        tell(f"inconclusive, which was allowed: {nothing}")
        return 0
    at("")
    ci.announce(result)
    if options.junit:
        ci.write_junit(result, options.junit)
    say(text.line(one) for one in result.outcomes)
    print(f"{text.verdict(result)} {text.summary(result)}", file=sys.stderr)
    print(text.control(result), file=sys.stderr)
    code = result.exit_code
    if code == 3 and options.allow_inconclusive:
        print("inconclusive, which was allowed", file=sys.stderr)
        return 0
    return code


def compared(asked: Asked, options: Options) -> Result:
    """Measure what is to be measured. Raises as `run` and `against_baseline` do."""
    tolerance = None if options.tolerance is None else share(options.tolerance)
    if options.baseline is None:
        from tbench.gate.run import run

        return run(asked, seed=options.seed, tolerance=tolerance, tell=tell, show=at, command=options.command)
    if asked.against or asked.base_python or asked.new_python:
        raise UsageError(
            "--baseline is a run of an earlier day, compared with this Python's; give it or --against, --base-env "
            "and --new-env, not both"
        )
    from tbench.gate.stored import against_baseline

    return against_baseline(
        asked, options.baseline, seed=options.seed, tolerance=tolerance, tell=tell, command=options.command
    )


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
