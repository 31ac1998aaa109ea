"""`tbench report`: any report of a run, made from its folder."""

from __future__ import annotations

import sys
from pathlib import Path

from tbench.analysis.run import Run
from tbench.errors import UsageError
from tbench.report import renderer


def report(run: str, format: str, output: str | None = None) -> int:
    """Write the report to `output`, or to standard output for None or `-`. Raises StoreError or UsageError."""
    make = renderer(format)  # an unknown format before the folder is read
    rendered = make(Run.read(run))
    if output is None or output == "-":
        sys.stdout.write(rendered)
        return 0
    try:
        Path(output).write_text(rendered, encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"-o {output}: cannot be written: {problem.strerror}; name another file") from problem
    return 0
