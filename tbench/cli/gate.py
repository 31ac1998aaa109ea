"""`tbench gate`: one line per case on standard output, and the exit code says it."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from tbench.cli.output import STDOUT, put, say, stamp
from tbench.errors import Inconclusive, TbenchError, UsageError
from tbench.gate import ci, text
from tbench.gate.decision import Rule
from tbench.gate.options import Options
from tbench.gate.outcome import Result
from tbench.gate.paired import Progress
from tbench.report.live import can_redraw
from tbench.tables.printable import printable


def gate(options: Options, rule: Rule | None = None, html: str | None = None) -> int:
    """Compare, print and tell whoever runs it. `rule`: as for `run`. `html`: the file of a page. Returns the exit
    code."""
    if options.junit:
        ci.clear_junit(options.junit)
    if html and html != STDOUT:
        with suppress(OSError):  # `write_page` says why it cannot be written
            Path(html).unlink()  # an older one must not pass for today's
    try:
        result = compared(options, rule)
    except Inconclusive as nothing:
        show("")
        ci.announce_nothing(options.scenario, str(nothing))
        if options.junit:
            ci.write_junit_of_nothing(options.scenario, str(nothing), options.junit)
        if not options.allow_inconclusive:
            raise
        keep(f"inconclusive, which was allowed: {nothing}")
        return 0
    show("")
    report(result, options.junit)
    if html:
        write_page(result, html)
    if result.exit_code == Inconclusive.exit_code and options.allow_inconclusive:
        print("inconclusive, which was allowed", file=sys.stderr)
        return 0
    return result.exit_code


def report(result: Result, junit: str | None) -> None:
    """Print the result, and put it wherever it is looked for."""
    ci.announce(result)
    if junit:
        ci.write_junit(result, junit)
    say(text.line(one) for one in result.outcomes)
    print(f"{text.headline(result)} {text.summary(result)}", file=sys.stderr)
    print(text.control(result), file=sys.stderr)


def write_page(result: Result, file: str) -> None:
    """A verdict stands without its page: where that cannot be made, a message says why."""
    try:
        from tbench.page.gated import render

        put(render(result), file)
    except TbenchError as problem:
        keep(f"no page: {problem}")


def compared(options: Options, rule: Rule | None = None) -> Result:
    """Measure what is to be measured. Raises as `run` and `against_baseline` do."""
    folder = Path(options.output) if options.output else results(options.read().name)
    if options.baseline is None:
        from tbench.gate.run import run

        return run(options, folder, Progress(keep, show), rule)
    if options.against or options.base_python or options.new_python:
        raise UsageError(
            "--baseline is a run of an earlier day, compared with this Python's; give it or --against, --base-env "
            "and --new-env, not both"
        )
    from tbench.gate.stored import against_baseline

    return against_baseline(options, options.baseline, folder, keep)


def keep(message: str) -> None:
    show("")
    print(f"gate: {printable(message)}", file=sys.stderr)


def show(message: str) -> None:
    """A line that the next one replaces; only where that can be done, for a log is no place for it."""
    if can_redraw(sys.stderr):
        sys.stderr.write(f"\r\x1b[K{printable(message)}")
        sys.stderr.flush()


def results(name: str) -> Path:
    """A folder of its own for every run."""
    return Path("results") / "gate" / name / stamp()
