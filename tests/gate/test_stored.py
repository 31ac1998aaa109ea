"""A stored baseline's comparison in the gate's words."""

from __future__ import annotations

import pytest

from tbench.comparison.compare import compare
from tbench.gate.stored import CANARIES, patient, verdict
from tbench.records import Measurement, Status
from tests.comparison.runs import run_of, timed, weighing
from tests.synthetic import attention, failed

FLASH = attention("flash")


def told(base: list[Measurement], new: list[Measurement]) -> str:
    kept = timed("naive", 1e-2, 1)  # in both, so that there is something to compare
    rows = compare(run_of([kept, *base]), run_of([kept, *new])).rows
    return verdict(next(row for row in rows if row.case == FLASH))


@pytest.mark.parametrize(
    ("status", "then", "now"),
    [
        ("error", "INCONCLUSIVE", "BROKEN"),
        ("wrong", "INCONCLUSIVE", "BROKEN"),
        ("timeout", "INCONCLUSIVE", "BROKEN"),
        ("unsupported", "ADDED", "BROKEN"),
        ("oom", "ADDED", "BROKEN"),
    ],
)
def test_a_side_that_is_not_ok(status: Status, then: str, now: str) -> None:
    bad, good = failed(FLASH, status, "why"), timed("flash", 5e-3, 1)
    assert told([bad], [good]) == then
    assert told([good], [bad]) == now
    assert told([bad], [bad]) == ("SKIPPED" if then == "ADDED" else "BROKEN")


def test_a_side_that_has_no_such_case_and_one_that_has_grown() -> None:
    good = timed("flash", 5e-3, 1)
    assert told([good], []) == "MISSING"
    assert told([], [good]) == "ADDED"
    assert told([weighing(good, 2**30)], [weighing(good, 2**31)]) == "BIGGER"


def test_enough_processes_are_asked_of_every_case() -> None:
    assert patient(CANARIES).sampling.min_rounds >= 8
    assert patient(patient(CANARIES)) == patient(CANARIES)
    assert [point.get("kernel") for point in CANARIES.points] == ["matmul", "copy", "copy"]
