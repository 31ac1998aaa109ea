"""Random data: filled, changed in places, and known to be as they were."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from tbench.components import data
from tbench.components.data import NUDGED, PERIOD, fill, holds, nudge

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
dtypes = st.sampled_from(DTYPES)
seeds = st.integers(0, 2**32)


def random(count: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    x = torch.empty(count, dtype=dtype)
    fill(x, generator(seed))
    return x


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------------- known to be as they were


@given(st.integers(1, 5000), dtypes, seeds, st.data())
def test_one_element_that_changes_is_noticed(count: int, dtype: torch.dtype, seed: int, data: st.DataObject) -> None:
    x = torch.empty(count, dtype=dtype)
    drawn = fill(x, generator(seed))
    assert holds(x, drawn)
    where = data.draw(st.integers(0, count - 1))
    value = torch.tensor(data.draw(st.floats(-1e4, 1e4)), dtype=dtype)
    assume(float(value) != float(x[where]))
    x[where] = value
    assert not holds(x, drawn)


@given(st.integers(2, 5000), dtypes, seeds, st.data())
def test_two_elements_that_change_places_are_noticed(
    count: int, dtype: torch.dtype, seed: int, data: st.DataObject
) -> None:
    x = torch.empty(count, dtype=dtype)
    drawn = fill(x, generator(seed))
    i, j = (data.draw(st.integers(0, count - 1)) for _ in range(2))
    assume(float(x[i]) != float(x[j]))
    x[i], x[j] = float(x[j]), float(x[i])
    assert not holds(x, drawn)


@given(st.integers(2, 2000), seeds)
def test_any_other_order_is_noticed(count: int, seed: int) -> None:
    x = random(count)
    other = x[torch.randperm(count, generator=generator(seed))]
    assert holds(other, x) is torch.equal(other, x)


@given(st.integers(1, 5000), dtypes, seeds)
def test_the_same_content_is_the_same_wherever_it_lies(count: int, dtype: torch.dtype, seed: int) -> None:
    x = torch.empty(count, dtype=dtype, requires_grad=True)
    drawn = fill(x, generator(seed))
    copy = x.detach().clone()
    for held in (drawn, copy, copy.view(1, count)):
        assert holds(x, held)
        assert holds(x.view(count, 1), held)


@pytest.mark.parametrize("where", [0, PERIOD - 1, PERIOD, PERIOD + 99])
def test_every_period_is_looked_at(where: int) -> None:
    x = torch.empty(PERIOD + 100)
    drawn = fill(x, generator(1))
    assert len(drawn) == PERIOD
    assert holds(x, drawn)
    x[where] += 1
    assert not holds(x, drawn)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_any_more_is_noticed(bad: float) -> None:
    x = torch.empty(100)
    drawn = fill(x, generator(1))
    x[50] = bad
    assert not holds(x, drawn)


def test_data_have_the_deviation_and_the_mean_that_are_asked_for() -> None:
    x = torch.empty(10_000)
    fill(x, generator(1), scale=0.25, mean=2.0)
    assert float(x.mean()) == pytest.approx(2.0, abs=0.02)
    assert float(x.std()) == pytest.approx(0.25, rel=0.05)


# ---------------------------------------------------------------------- changes


@pytest.mark.parametrize("dtype", DTYPES)
@given(count=st.integers(1, 10_000), seed=seeds)
def test_a_nudge_changes_the_ends_and_a_few_others(dtype: torch.dtype, count: int, seed: int) -> None:
    x = random(count, dtype)
    before, address = x.clone(), x.data_ptr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "SMALL", 0)
        nudge(x, generator(seed))
    assert (x.shape, x.dtype, x.data_ptr()) == (before.shape, dtype, address)
    changed = (x != before).nonzero().ravel().tolist()
    assert changed
    assert len(changed) <= 3 * NUDGED
    assert not holds(x, before)
    assert bool(x.isfinite().all())


def test_a_small_tensor_changes_everywhere() -> None:
    x = random(10_000)
    before = x.clone()
    nudge(x, generator(1))
    assert float((x != before).float().mean()) > 0.99


def test_the_first_and_the_last_elements_change() -> None:
    """What is told by a few elements alone is mostly told by these."""
    x = random(data.SMALL // 4 + 1)
    before = x.clone()
    nudge(x, generator(1))
    assert bool((x[:NUDGED] != before[:NUDGED]).all())
    assert bool((x[-NUDGED:] != before[-NUDGED:]).all())
    assert bool((x[NUDGED:-NUDGED] != before[NUDGED:-NUDGED]).any())


@pytest.mark.parametrize("count", [64, 500])
def test_after_many_nudges_data_are_of_the_same_size(count: int) -> None:
    x = random(count)
    for number in range(200):
        nudge(x, generator(number))
    assert 0.7 < float(x.std()) < 1.4


def test_data_with_a_gradient_are_nudged_and_filled_too() -> None:
    x = random(100).view(4, 25).requires_grad_()
    before = x.detach().clone()
    nudge(x, generator(1))
    assert not torch.equal(x, before)
    fill(x, generator(2))
    assert x.requires_grad
    assert x.grad_fn is None


def test_data_repeat_after_a_prime_number_of_elements_only() -> None:
    x = random(PERIOD + 100)
    assert torch.equal(x[PERIOD:], x[:100])
    assert all(PERIOD % divisor for divisor in range(2, 1024))
    assert bool((x != 0).all())
