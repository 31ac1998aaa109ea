"""Settings of the process that a kernel may change: each is noticed by name, and put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from tbench.measure import state

CHANGES: dict[str, Callable[[], Any]] = {
    "the default dtype": lambda: torch.set_default_dtype(torch.float64),
    "the default device": lambda: torch.set_default_device("meta"),
    "the number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "grad mode": lambda: torch.set_grad_enabled(not torch.is_grad_enabled()),
    "the float32 matmul precision": lambda: torch.set_float32_matmul_precision("medium"),
    "deterministic algorithms": lambda: torch.use_deterministic_algorithms(True),
    "autocast": lambda: torch.set_autocast_enabled("cpu", True),
    "flushing of denormal numbers": lambda: torch.set_flush_denormal(True),
}


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    """Whatever a test of these finds wrong, the others go on as before."""
    before = state.current()
    yield
    state.restore(before)


def test_every_setting_is_tried_here() -> None:
    assert CHANGES.keys() == state.SETTINGS.keys()


@pytest.mark.parametrize("name", CHANGES)
def test_a_setting_that_was_changed_is_named_and_put_back(name: str) -> None:
    before = state.current()
    CHANGES[name]()
    assert state.current() != before
    assert state.restore(before) == [name]
    assert state.current() == before
    assert state.restore(before) == []


def test_all_of_them_at_once() -> None:
    before, modes = state.current(), state.modes()
    for change in CHANGES.values():
        change()
    assert state.restore(before) == list(state.SETTINGS)
    assert state.current() == before
    assert state.modes() == modes  # a default device is a mode


def test_a_mode_that_is_left_behind_is_counted() -> None:
    class Sees(TorchFunctionMode):
        pass

    before = state.modes()
    with Sees():
        assert state.modes() == before + 1
    assert state.modes() == before


def test_every_call_finds_what_the_first_one_found() -> None:
    found: list[tuple[torch.dtype, bool]] = []

    def call() -> int:
        found.append((torch.get_default_dtype(), torch.is_grad_enabled()))
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        return len(found)

    contained = state.restoring(call, state.current())
    assert [contained(), contained()] == [1, 2]
    assert found == [(torch.float32, True)] * 2


def test_everything_is_put_back_after_a_call_that_fails_too() -> None:
    def fails() -> None:
        torch.set_default_dtype(torch.float64)
        raise RuntimeError("no kernel image")

    before = state.current()
    with pytest.raises(RuntimeError, match="no kernel image"):
        state.restoring(fails, before)()
    assert state.current() == before
