"""Where a verb's data and messages go: a file, or standard output and error, whose readers may leave."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from tbench.errors import UsageError
from tbench.tables.printable import printable

STDOUT = "-"


def put(content: str, output: str) -> None:
    """Write to the file `output`, or to standard output for `-`. Raises UsageError where the file cannot be written."""
    if output == STDOUT:
        sys.stdout.write(content)
        return
    try:
        Path(output).write_text(content, encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"-o {output}: cannot be written: {problem.strerror}; name another file") from problem


def starting(what: str) -> None:
    """A sign of life before what takes seconds is imported: PyTorch, in the server that workers are forked from."""
    print(f"{what}: starting PyTorch and looking at this machine …", file=sys.stderr, flush=True)


def warn(message: str) -> None:
    print(f"warning: {printable(message)}", file=sys.stderr)


def stamp() -> str:
    """Now, in UTC, as it names folders: `20261128T091530Z`."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def say(lines: Iterable[str]) -> None:
    """Print lines at once. A reader that leaves before the last has seen enough, and whatever else is to do is done."""
    try:
        for line in lines:
            print(line)
        if sys.stdout is not None:  # `>&-`
            sys.stdout.flush()
    except BrokenPipeError:
        stop_writing()


def stop_writing() -> None:
    """`tbench … | head`: the reader has seen enough. Nothing more is written, also not at exit."""
    sys.stdout = nowhere()


def nowhere() -> TextIO:
    return open(os.devnull, "w")  # noqa: PTH123 (open until the process ends, when it is flushed)


class Messages:
    """Standard error for progress and warnings. Where they cannot be written (`2>&1 | head`, a full disk) nothing more
    is, and what is under way goes on: a verdict does not hang on who listens to it."""

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream or nowhere()

    def write(self, text: str) -> int:
        try:
            return self.stream.write(text)
        except OSError:
            self.stream = nowhere()
            return len(text)

    def flush(self) -> None:
        try:
            self.stream.flush()
        except OSError:
            self.stream = nowhere()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
