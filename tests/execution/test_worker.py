"""What a worker says of what went wrong: one line for a terminal, whatever the exception is made of."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tbench.components.workload import Malformed
from tbench.errors import TbenchError, Unsupported
from tbench.execution.failures import WrongOutput, described
from tbench.execution.worker import copied, same


@given(st.text())
def test_a_reason_has_no_control_characters_and_is_one_line(said: str) -> None:
    status, reason = described(RuntimeError(said))
    assert status == "error"
    assert reason.isprintable()
    assert reason.startswith("RuntimeError: ")
    assert len(reason) <= 350


def test_colours_and_titles_of_a_terminal_are_taken_out() -> None:
    _, reason = described(ValueError("\n\x1b[1;31mbad\x1b[0m shape\x07\nsecond line"))
    assert reason == "ValueError: bad shape\ufffd"


def test_an_exception_that_says_nothing_has_its_name() -> None:
    assert described(KeyError()) == ("error", "KeyError: no message")


@pytest.mark.parametrize("raised", [RuntimeError("not that either"), KeyboardInterrupt(), SystemExit(3)])
def test_an_exception_that_cannot_be_told_in_words(raised: BaseException) -> None:
    class Untold(Exception):
        def __str__(self) -> str:
            raise raised

    if isinstance(raised, Exception):
        assert described(Untold()) == ("error", "Untold, whose message cannot be read")
    else:  # it is the worker that is told to end
        with pytest.raises(type(raised)):
            described(Untold())


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (Unsupported("needs a full moon"), "unsupported"),
        (WrongOutput("differs"), "wrong"),
        (Malformed("the result is None"), "wrong"),
        (MemoryError(), "oom"),
        (torch.OutOfMemoryError("CUDA out of memory"), "oom"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] can't allocate memory: you tried 4 TB"), "oom"),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"), "oom"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), "oom"),
        (TbenchError("no such component"), "error"),
        (KeyboardInterrupt(), "error"),
    ],
)
def test_every_failure_has_its_status(problem: BaseException, status: str) -> None:
    found, reason = described(problem)
    assert found == status
    assert reason


def test_an_error_that_cuda_reports_late_says_how_to_find_the_kernel() -> None:
    _, reason = described(RuntimeError("CUDA error: an illegal memory access was encountered"))
    assert reason.endswith("CUDA reports errors late: CUDA_LAUNCH_BLOCKING=1 finds the kernel")


def test_results_are_compared_as_they_were_when_the_call_returned() -> None:
    results: tuple[Any, ...] = (torch.ones(3), torch.zeros(2))
    copies = copied(results)
    assert same(copies, results)
    results[1][0] = 1.0
    assert not same(copies, results)
