"""The shortest split: what it finds in data that were made with a rule, and what holds of any data."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.claims.model import Words
from tbench.claims.stump import PURITY, Leaf, Point, shortest
from tbench.claims.when import REGIME, holding
from tbench.records import Value

PHASES = ("forward", "forward_backward", "decode")
GRID: list[Point] = [
    {"phase": p, "seq_len": n, "head_dim": d} for p in PHASES for n in (512, 1024, 2048) for d in (64, 128)
]
AXES = ("phase", "seq_len", "head_dim")


def words(leaves: tuple[Leaf, ...], language: str = "en") -> str:
    return holding(leaves, {0: Words("first", "第一")}, language)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "en", "zh"),
    [
        (lambda p: p["phase"] == "decode", "decode", "解码"),
        (lambda p: p["phase"] != "decode", "not decode", "解码除外"),
        (lambda p: p["seq_len"] >= 1024, "≥1K", "≥1K"),
        (lambda p: p["seq_len"] < 1024, "≤512", "≤512"),
        (lambda p: p["head_dim"] > 64, "head_dim ≥ 128", "head_dim ≥ 128"),
        (lambda p: p["seq_len"] >= 1024 and p["phase"] != "decode", "≥1K, not decode", "≥1K，解码除外"),
        (lambda p: p["seq_len"] >= 1024 or p["phase"] == "decode", "decode; ≥1K, not decode", "解码；≥1K，解码除外"),
    ],
)
def test_the_rule_that_made_the_data_is_found(rule: object, en: str, zh: str) -> None:
    leaves = shortest([(point, bool(rule(point))) for point in GRID], AXES)  # type: ignore[operator]
    assert sum(leaf.wrong for leaf in leaves) == 0
    assert (words(leaves), words(leaves, "zh")) == (en, zh)


def test_a_single_exception_in_ten_needs_no_further_split() -> None:
    points: list[tuple[Point, bool]] = [({"phase": "decode", "n": n}, False) for n in range(10)]
    points += [({"phase": "forward", "n": n}, n != 5) for n in range(10)]
    leaves = shortest(points, ("phase", "n"))
    assert len(leaves) == 2 and sum(leaf.wrong for leaf in leaves) == 1


def test_without_points_or_without_a_difference_there_is_nothing_to_split() -> None:
    assert shortest([], AXES) == ()
    assert [leaf.way for leaf in shortest([(point, True) for point in GRID], AXES)] == [()]
    alike: list[tuple[Point, bool]] = [({REGIME: 0}, True), ({REGIME: 0}, False)]
    assert [(leaf.points, leaf.wrong) for leaf in shortest(alike, (REGIME,))] == [(2, 1)]


def test_an_axis_that_some_points_lack_can_split_them() -> None:
    points: list[tuple[Point, bool]] = [({"at": 2.0}, True), ({"at": 4.0}, True), ({}, False), ({}, False)]
    assert sum(leaf.wrong for leaf in shortest(points, ("at",))) == 0


VALUES: st.SearchStrategy[Value] = st.one_of(st.integers(0, 3), st.sampled_from(["a", "b"]), st.booleans())
POINTS = st.lists(st.tuples(st.dictionaries(st.sampled_from("xyz"), VALUES), st.booleans()), max_size=24)


@given(POINTS)
def test_every_point_is_in_one_leaf_and_no_tree_is_worse_than_none(points: list[tuple[Point, bool]]) -> None:
    leaves = shortest(points, "xyz")
    seen = 0
    for point, holds in points:
        home = [leaf for leaf in leaves if all(one.met(point) is met for one, met in leaf.way)]
        assert len(home) == 1
        seen += home[0].holds != holds
    assert seen == sum(leaf.wrong for leaf in leaves)
    assert sum(leaf.points for leaf in leaves) == len(points)
    yes = sum(holds for _, holds in points)
    assert seen <= min(yes, len(points) - yes)
    assert len(leaves) <= 4 and all(len(leaf.way) <= 2 for leaf in leaves)


@given(POINTS, st.randoms())
def test_how_many_mistakes_are_left_does_not_hang_on_the_order_of_the_points(
    points: list[tuple[Point, bool]], chance: random.Random
) -> None:
    shuffled = list(points)
    chance.shuffle(shuffled)
    wrong = [sum(leaf.wrong for leaf in shortest(one, "xyz")) for one in (points, shuffled)]
    assert wrong[0] == wrong[1] or max(wrong) <= (1 - PURITY) * len(points)
