"""Where a verdict holds, told by as few axes as set the cases apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.claims.places import along, among, fewest, places_words, stretch
from tbench.records import Value

Case = dict[str, Value]


def label(**values: Value) -> tuple[tuple[str, Value], ...]:
    return tuple(values.items())


def test_one_kind_needs_no_place() -> None:
    assert among([(label(heads=8), "confirmed"), (label(heads=32), "confirmed")], "en") == [("confirmed", "")]
    assert along("seq_len", {512: "confirmed", 1024: "confirmed"}, "en") == [("confirmed", "")]


def test_axes_that_do_not_tell_kinds_apart_are_left_out() -> None:
    seen = [
        (label(phase=phase, head_dim=size, kernel=kernel), "open" if phase == "forward" else kernel)
        for phase in ("forward", "forward_backward")
        for size in (64, 128)
        for kernel in ("naive", "flash")
    ]
    assert among(seen, "en") == [
        ("open", "at phase=forward"),
        ("naive", "at phase=forward_backward kernel=naive"),
        ("flash", "at phase=forward_backward kernel=flash"),
    ]


def test_several_places_of_a_kind_are_joined() -> None:
    seen = [(label(seq_len=n, kernel=k), n == 1024 or k == "flash") for n in (512, 1024) for k in ("naive", "flash")]
    assert among(seen, "en") == [
        (False, "at seq_len=512 kernel=naive"),
        (True, "at seq_len=512 kernel=flash and seq_len=1K"),
    ]
    assert dict(among(seen, "zh"))[True] == "seq_len=512 kernel=flash、seq_len=1K"


def test_places_that_differ_in_one_value_are_one() -> None:
    ways = [label(seq_len=1024, heads=8), label(seq_len=2048), label(seq_len=4096, heads=8), label(heads=8, seq_len=1)]
    assert places_words(ways, "en") == "at seq_len=1K,4K heads=8 and seq_len=2K and heads=8 seq_len=1"
    assert places_words([()], "en") == ""
    seen = [(label(heads=h, seq_len=n), n > 512 or h == 32) for h in (8, 32) for n in (512, 1024, 2048)]
    assert dict(among(seen, "en"))[True] == "at heads=8 seq_len=1K,2K and heads=32"


def test_cases_that_nothing_tells_apart_keep_their_kinds() -> None:
    assert among([(label(heads=8), "yes"), (label(heads=8), "no")], "en") == [("yes", ""), ("no", "")]


def test_every_stretch_of_an_axis() -> None:
    kinds = {512: "no", 1024: "yes", 2048: "yes", 4096: "no"}
    assert along("seq_len", kinds, "en") == [
        ("no", "at 512 tokens and at 4K tokens"),
        ("yes", "from 1K to 2K tokens"),
    ]
    assert along("at", {1.25: "yes", 2.0: "no"}, "zh") == [("yes", "1.25倍长度时"), ("no", "2倍长度时")]


@pytest.mark.parametrize(
    ("values", "en", "zh"),
    [
        ([512, 1024, 2048, 4096], "", ""),
        ([1024, 2048, 4096], "from 1K tokens up", "1K词元起"),
        ([512, 1024], "up to 1K tokens", "至1K词元"),
        ([1024, 2048], "from 1K to 2K tokens", "1K至2K词元"),
        ([1024], "at 1K tokens", "1K词元时"),
        ([4096], "at 4K tokens", "4K词元时"),
    ],
)
def test_stretches(values: list[int], en: str, zh: str) -> None:
    every = [512, 1024, 2048, 4096]
    assert stretch("seq_len", values, every, "en") == en
    assert stretch("seq_len", values, every, "zh") == zh


CASES = st.lists(st.fixed_dictionaries({axis: st.integers(0, 2) for axis in "abc"}), min_size=1, max_size=12)


@given(CASES, st.data())
def test_every_case_is_in_one_place_and_there_its_kind_holds(cases: list[Case], data: st.DataObject) -> None:
    apart = {tuple(sorted(case.items())): case for case in cases}
    seen = [(case, data.draw(st.integers(0, 2))) for case in apart.values()]
    leaves = fewest(seen)
    assert len(leaves) <= len(seen)
    for case, kind in seen:
        assert [kind] == [held for held, way in leaves if all(case[axis] == value for axis, value in way)]
