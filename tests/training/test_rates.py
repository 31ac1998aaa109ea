"""The choice of a learning rate: extended until it lies inside, made by the other seeds."""

from __future__ import annotations

import math
import statistics

from hypothesis import given
from hypothesis import strategies as st

from tbench.training.rates import SCOUTS, WIDEST, chosen, means, search

START = (3e-3, 1e-2, 3e-2)
PLACES = st.floats(math.log(WIDEST[0]), math.log(WIDEST[-1]))


def bowl(bottom: float, noise: dict[tuple[int, float], float] | None = None):  # type: ignore[no-untyped-def]
    """A loss that is least at a rate, by a tenth of a nat for each factor e."""

    def loss(seed: int, rate: float) -> float:
        return 2 + 0.1 * abs(math.log(rate) - bottom) + (noise or {}).get((seed, rate), 0.0)

    return loss


@given(bottom=PLACES, seeds=st.integers(1, 6))
def test_the_choice_lies_inside_what_was_tried(bottom: float, seeds: int) -> None:
    losses = search(START, range(1, seeds + 1), bowl(bottom))
    tried = sorted({rate for _, rate in losses})
    best = min(means(losses, [1]), key=means(losses, [1]).__getitem__)
    assert best == min(WIDEST, key=lambda rate: (abs(math.log(rate) - bottom), rate)) or math.isclose(
        abs(math.log(best) - bottom), min(abs(math.log(rate) - bottom) for rate in WIDEST), abs_tol=1e-9
    )
    assert tried[0] < best < tried[-1] or best in (WIDEST[0], WIDEST[-1])
    assert {seed for seed, _ in losses} == set(range(1, seeds + 1))


@given(bottom=PLACES, noise=st.lists(st.floats(-0.05, 0.05), min_size=48, max_size=48))
def test_a_seed_has_no_say_in_its_own_rate(bottom: float, noise: list[float]) -> None:
    shaken = {(seed, rate): noise.pop() for seed in range(1, 7) for rate in WIDEST}
    losses = search(START, range(1, 7), bowl(bottom, shaken))
    picks = chosen(losses)
    assert set(picks) == set(range(1, 7)) and all((seed, rate) in losses for seed, rate in picks.items())
    for seed in picks:
        moved = {(s, rate): loss + (rate * 100 if s == seed else 0) for (s, rate), loss in losses.items()}
        assert chosen(moved)[seed] == picks[seed]


def test_further_seeds_leave_out_what_is_far_behind() -> None:
    losses = search(START, range(1, 6), bowl(math.log(1e-2)))
    assert {rate for seed, rate in losses if seed > SCOUTS} == {1e-2}
    near = search(START, range(1, 6), lambda seed, rate: 2 + 0.01 * abs(math.log(rate / 1e-2)))
    assert {rate for seed, rate in near if seed > SCOUTS} == set(START)


def test_a_rate_that_diverges_is_never_chosen() -> None:
    losses = search(START, (1, 2, 3), lambda seed, rate: math.inf if rate > 3e-3 and seed == 2 else 2 - rate)
    assert set(chosen(losses).values()) <= {rate for rate in WIDEST if rate <= 3e-3}


def test_one_seed_has_its_own_best() -> None:
    assert chosen({(1, 1e-3): 2.0, (1, 1e-2): 1.9}) == {1: 1e-2}
    assert statistics.fmean(means({(1, 1e-3): 2.0}, [1]).values()) == 2.0


def test_what_all_seeds_together_choose_lies_inside_too() -> None:
    """The first two end lowest with the middle one, by little; the others with the least that these tried."""

    def loss(seed: int, rate: float) -> float:
        best = 1e-2 if seed <= SCOUTS else 3e-3
        return 2 + 0.02 * abs(math.log(rate / best))

    losses = search(START, range(1, 7), loss)
    ended = means(losses, range(1, 7))
    assert min(ended, key=ended.__getitem__) == 3e-3
    assert min(ended) == 1e-3
