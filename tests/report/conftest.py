"""Two runs to export: every status there is, and a small one to be looked at."""

from __future__ import annotations

import pytest

from tbench.analysis.run import Run
from tbench.records import Turn
from tests.report.exported import EXPERIMENT, run_of
from tests.synthetic import attention, every_status, failed, ok


@pytest.fixture
def every() -> Run:
    return run_of([*every_status(), EXPERIMENT])


@pytest.fixture
def small() -> Run:
    """Two processes of a turn each: a baseline, a faster case, and one that failed."""
    naive, flash = attention("naive"), attention("flash")
    return run_of(
        [
            ok(naive, 36e-3, 1, turns=(Turn(0, 0, 2, (36e-3, 36.5e-3)), Turn(1, 0, 2, (36.2e-3,)))),
            ok(flash, 6.5e-3, 2, turns=(Turn(0, 0, 8, (6.5e-3, 6.75e-3)), Turn(1, 0, 8, (6.625e-3,)))),
            failed(attention("flex"), "timeout", "set-up took longer than 120 s: raise sampling.timeout"),
        ]
    )
