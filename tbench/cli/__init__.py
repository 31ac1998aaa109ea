"""The command line: arguments to calls, errors to exit codes. Each verb's body is imported when it runs."""

from __future__ import annotations

import io
import signal
import sys
from functools import cache
from typing import Any, TextIO, cast

from tbench.cli.output import Messages, stop_writing
from tbench.errors import TbenchError, UsageError
from tbench.tables.printable import printable

INTERNAL_ERROR = 70
INTERRUPTED = 130


def main() -> None:
    """Entry point of the `tbench` command; the one place that turns exceptions into exit codes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without × and ± gets ? for them
            stream.reconfigure(errors="replace")
    sys.stderr = cast(TextIO, Messages(sys.stderr))
    for number in (signal.SIGTERM, signal.SIGHUP):  # how CI cancels, and a lost connection: cleaned up as after Ctrl-C
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, interrupted)
    code = exit_code(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        stop_writing()
    except (OSError, AttributeError, ValueError) as error:
        print(f"tbench: cannot write to standard output: {error}", file=sys.stderr)
        code = code or UsageError.exit_code
        sys.stdout = None  # or the interpreter tries again
    sys.exit(code)


def interrupted(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def exit_code(arguments: list[str]) -> int:
    """Run one command line and return its exit code; messages go to stderr."""
    import typer

    try:
        outcome = verbs().main(arguments, prog_name="tbench", standalone_mode=False, obj=arguments)
        return outcome if isinstance(outcome, int) else 0
    except TbenchError as error:
        print(f"tbench: {printable(str(error))}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("tbench: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return reader_left()
    except OSError as error:
        print(f"tbench: cannot write or read: {error}", file=sys.stderr)
        return UsageError.exit_code
    except SystemExit as ending:  # rich's way to meet a broken pipe
        return reader_left() if ending.code == 1 else int(ending.code or 0)
    except Exception as error:
        show = getattr(error, "show", None)
        if show is not None:  # a usage error of the command line itself
            show()
            return int(getattr(error, "exit_code", 2))
        return internal_error(error)


@cache
def verbs() -> Any:
    """All of them, made once a process: reading the signatures takes as long as many a command."""
    import typer

    from tbench.cli.app import app

    return typer.main.get_command(app)


def reader_left() -> int:
    stop_writing()
    return 0


def internal_error(error: Exception) -> int:
    import traceback

    traceback.print_exception(error)
    print(
        "tbench: this is a bug in tbench, not in what you asked. Please report it with the lines above.",
        file=sys.stderr,
    )
    return INTERNAL_ERROR
