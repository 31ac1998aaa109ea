"""How many sets of inputs a case is timed on: as many as its caches want, never more than there is room for."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from tbench.execution.sets import COLD, HOT, HOT_SHARE, MOST, count, warm
from tbench.records import Sampling, Work

PLENTY = 2**60
samplings = st.sampled_from([Sampling(cache=cache) for cache in ("auto", "hot", "cold")])
phases = st.sampled_from(["forward", "forward_backward", "decode"])
moved = st.floats(0.0, 2.0**40)
caches = st.integers(1, 2**30)


@given(moved, phases, samplings, caches, st.integers(0, 2**40))
@example(bytes_=0.0, phase="decode", sampling=Sampling(), cache=2**30, room=0)
def test_there_is_one_set_and_never_more_than_there_is_room_for(
    bytes_: float, phase: str, sampling: Sampling, cache: int, room: int
) -> None:
    sets = count(Work(1.0, bytes_), phase, sampling, cache, room)
    assert 1 <= sets <= MOST
    assert (sets - 1) * bytes_ <= room


@given(moved, phases, samplings, caches, st.integers(0, 2**40), st.integers(0, 2**40))
def test_more_room_never_means_fewer_sets(
    bytes_: float, phase: str, sampling: Sampling, cache: int, room: int, more: int
) -> None:
    work = Work(1.0, bytes_)
    assert count(work, phase, sampling, cache, room) <= count(work, phase, sampling, cache, room + more)


@given(st.floats(2.0**12, 2.0**40), phases, caches)
def test_cold_sets_are_twice_the_cache(bytes_: float, phase: str, cache: int) -> None:
    work, sampling = Work(1.0, bytes_), Sampling(cache="cold")
    sets = count(work, phase, sampling, cache, PLENTY)
    assert sets >= HOT
    assert sets * bytes_ >= COLD * cache or sets == MOST
    assert sets == MOST or not warm(work, phase, sampling, cache, sets)


@given(moved, st.sampled_from(["forward", "forward_backward"]), caches)
def test_hot_there_are_three_or_the_one_that_stays_in_the_cache(bytes_: float, phase: str, cache: int) -> None:
    work = Work(1.0, bytes_)
    for sampling, of in ((Sampling(), phase), (Sampling(cache="hot"), phase), (Sampling(cache="hot"), "decode")):
        alone = HOT_SHARE * cache / HOT < bytes_ <= cache  # stays in the cache, where three would not
        assert count(work, of, sampling, cache, PLENTY) == (1 if alone else HOT)
        assert not warm(work, of, sampling, cache, 1)


def test_a_cache_of_keys_and_values_is_read_cold_unless_told_otherwise() -> None:
    work, usual = Work(1.0, 2.0**20), Sampling()
    assert count(work, "decode", usual, 2**25, PLENTY) == 64
    assert count(work, "decode", replace(usual, cache="hot"), 2**25, PLENTY) == HOT
    assert count(work, "forward", usual, 2**25, PLENTY) == HOT


def test_what_is_asked_for_cold_and_fits_into_the_cache_is_warm() -> None:
    work, cache = Work(1.0, 2.0**20), 2**25
    few = count(work, "decode", Sampling(), cache, room=4 * 2**20)
    assert few == 5
    assert warm(work, "decode", Sampling(), cache, few)
    assert not warm(work, "forward", Sampling(), cache, few)  # hot is what is asked for there
