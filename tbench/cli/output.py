"""Where a verb's data goes: a file, or standard output, whose reader may leave."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tbench.errors import UsageError

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


def stop_writing() -> None:
    """`tbench … | head`: the reader has seen enough. Nothing more is written, also not at exit."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 (open until the process ends, when it is flushed)
