"""Small cases of row-wise components, set up, checked and weighed in this process."""

from __future__ import annotations

from typing import Any

import pytest

from tbench.catalog import get
from tbench.components.rowwise import RowWise
from tbench.measure import memory
from tbench.measure.device import open_device
from tbench.records import Case, Memory
from tbench.scenario.axes import resolve

DTYPES = ("float32", "bfloat16", "float16")
PHASES = ("forward", "forward_backward")


def case(component: str, phase: str = "forward", dtype: str = "float32", **axes: Any) -> Case:
    return Case(component, phase, "cpu", dtype, tuple(resolve(get(component), axes).items()))


def workload(of: Case, seed: int = 0) -> RowWise:
    made = get(of.component).workload(of, seed)
    assert isinstance(made, RowWise)
    return made


def passes(of: Case) -> None:
    """Right on two sets of data."""
    made = workload(of)
    try:
        for seed in (1, 2):
            check = made.check(seed)
            assert check.passed, f"{of.id}: {check}"
    finally:
        made.close()


def weighed(of: Case) -> Memory:
    made = workload(of)
    made.call()  # what is set up once is not the call's
    return memory.peak(open_device("cpu"), made)


def predicted(of: Case, relative: float = 0.0) -> None:
    """The formula gives the bytes that the allocator counted."""
    found = weighed(of)
    assert found.peak_bytes == pytest.approx(get(of.component).predict_bytes(of), rel=relative, abs=0), of.id
