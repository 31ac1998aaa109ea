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
    exit_code = 2


class ScenarioError(UsageError):
    """All mistakes of a scenario at once, one `file:line:column: …` per line."""


class NothingSelected(TbenchError):
    exit_code = 5


class StoreError(TbenchError):
    exit_code = 2


class CaseFailed(TbenchError):
    exit_code = 4


class KernelError(TbenchError):
    exit_code = 4


class Regression(TbenchError):
    exit_code = 1


class Inconclusive(TbenchError):
    exit_code = 3


class Interrupted(TbenchError):
    exit_code = 130


class Unsupported(Exception):
    """Raised by a variant's factory (or `Component.unsupported`): the reason it cannot run a case."""
