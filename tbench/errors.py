"""Every error tbench raises on purpose, with the exit code it ends the program with.

    TbenchError
    ├── UsageError          2    what was asked makes no sense; says where and what to write instead
    │   └── ScenarioError   2    … in a scenario file, with file:line:column for every mistake
    ├── NothingSelected     5    the selection left no case to measure
    ├── StoreError          2    a run folder is missing, belongs to another run or cannot be read
    ├── CaseFailed          4    the run ended, but a case was wrong, crashed or hung
    ├── KernelError         4    a kernel of the user's own cannot be loaded or called; becomes the status of its case
    ├── Regression          1    shown, at a known error rate: something became slower or bigger than is tolerated
    ├── Inconclusive        3    whether something did is open, or only advice; a case is missing
    └── Interrupted       130    stopped by the user; everything measured so far is saved

    Unsupported                  not a failure: a variant says, in words, why it cannot run a case
    (execution.executor.WorkerFailed: a worker did not answer; becomes the status of a case, or a UsageError)

`tbench.cli.main` is the one place that catches them. Anything else is a bug: exit code 70.
"""

from __future__ import annotations


class TbenchError(Exception):
    """Base class; `exit_code` is what the command line ends with."""

    exit_code = 70


class UsageError(TbenchError):
    """What was asked makes no sense; the message says where, and what to write instead."""

    exit_code = 2


class ScenarioError(UsageError):
    """All mistakes of a scenario at once, one `file:line:column: …` per line."""


class NothingSelected(TbenchError):
    """`-k` or `--set` left no case."""

    exit_code = 5


class StoreError(TbenchError):
    """A run folder is missing, belongs to another run, or cannot be read or written."""

    exit_code = 2


class CaseFailed(TbenchError):
    """The run has ended and is saved, but a case was wrong, crashed or hung."""

    exit_code = 4


class KernelError(TbenchError):
    """A custom kernel cannot be loaded or called; the status of its case in a run, an error elsewhere."""

    exit_code = 4


class Regression(TbenchError):
    """Something became slower, or needs more memory, than is tolerated."""

    exit_code = 1


class Inconclusive(TbenchError):
    """Whether something did is open, or a case is missing on one side."""

    exit_code = 3


class Interrupted(TbenchError):
    """Stopped by Ctrl-C or a signal; everything measured so far is saved."""

    exit_code = 130


class Unsupported(Exception):
    """Raised by a variant's factory (or `Component.unsupported`): the reason it cannot run a case."""
