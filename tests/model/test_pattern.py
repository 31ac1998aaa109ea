"""Patterns: what may be written, what it means, and that counting in closed form agrees with the meaning."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tbench.model.pattern import (
    LARGEST,
    SCHEMA,
    Alternating,
    Fixed,
    Full,
    Pattern,
    Strided,
    Window,
    parse,
    pattern,
)

WRITTEN: list[tuple[Any, str]] = [
    ("full", "full"),
    ("window:256", "window:256"),
    ("window:007", "window:7"),
    ({"window": 256}, "window:256"),
    ({"window": {"window": 256}}, "window:256"),
    ({"strided": {"window": 128, "stride": 64}}, "strided:128:64"),
    ({"strided": {"stride": 64, "window": 128}}, "strided:128:64"),
    ({"fixed": {"block": 128, "globals": 16}}, "fixed:128:16"),
    ({"fixed": {"block": 16, "globals": 16}}, "fixed:16:16"),
    ({"alternating": {"window": 256, "full_every": 2}}, "alternating:256:2"),
]

MISTAKES: list[tuple[Any, str]] = [
    ("", "'' is not a pattern (choose from full, window, strided, fixed, alternating)"),
    ("windw:256", "'windw:256' is not a pattern (choose from full, window, strided, fixed, alternating)"),
    ("window", "'window': write window:<window>"),
    ("window:", "'window:': write window:<window>"),
    ("window:-1", "'window:-1': write window:<window>"),
    ("window:²", "'window:²': write window:<window>"),
    ("full:1", "'full:1': write full"),
    ("strided:128", "'strided:128': write strided:<window>:<stride>"),
    ("fixed:128:16:1", "'fixed:128:16:1': write fixed:<block>:<globals>"),
    ("window:0", "window: window is 0; a whole number from 1 to 1000000000 is needed"),
    ({"window": 0}, "window: window is 0; a whole number from 1 to 1000000000 is needed"),
    ({"window": True}, "window: window is True; a whole number from 1"),
    ({"window": 2.5}, "window: window is 2.5; a whole number from 1"),
    ({"window": "256"}, "window: window is '256'; a whole number from 1"),
    ({"window": LARGEST + 1}, "a whole number from 1 to 1000000000 is needed"),
    ({"window": None}, "window: window is None; a whole number from 1"),
    ({"strided": 128}, "strided needs window and stride: write {strided: {window: …, stride: …}}"),
    ({"strided": {"window": 128}}, "strided needs window and stride: write {strided: {window: …, stride: …}}"),
    ({"window": {"width": 3}}, "window needs window: write {window: {window: …}}"),
    ({"full": 1}, "'full' is not a pattern with sizes; write it without braces"),
    ({"windw": 1}, "'windw' is not a pattern with sizes; choose from full, window"),
    ({"window": 1, "strided": 2}, "is not a pattern; write full, {window: 256} or {strided:"),
    ({}, "{} is not a pattern; write full, {window: 256} or {strided:"),
    (256, "256 is not a pattern; write full, {window: 256} or {strided:"),
    (None, "None is not a pattern; write full, {window: 256} or {strided:"),
    (["full"], "['full'] is not a pattern; write full, {window: 256} or {strided:"),
    ({"fixed": {"block": 8, "globals": 9}}, "fixed: 9 global positions do not fit into a block of 8"),
    ("alternating:256:1", "full_every is 1, which is full in every layer; write full, or 2 or more"),
]

# What the schema, which an editor applies, cannot say of a text: how large its numbers are. (And to Python's validator
# \d is any digit.)
BEYOND_SCHEMA = ("window:0", "alternating:256:1", "window:²")

sizes = st.integers(1, 40)
plain = st.one_of(
    st.just(Full()),
    st.builds(Window, sizes),
    st.builds(Strided, sizes, sizes),
    sizes.flatmap(lambda block: st.builds(Fixed, st.just(block), st.integers(1, block))),
)
every = st.one_of(plain, st.builds(Alternating, sizes, st.integers(2, 6)))


@pytest.mark.parametrize(("value", "text"), WRITTEN, ids=str)
def test_what_may_be_written(value: Any, text: str) -> None:
    assert parse(value) == text


@pytest.mark.parametrize(("value", "says"), MISTAKES, ids=str)
def test_every_mistake_says_what_to_write(value: Any, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(value)
    assert says in str(caught.value)


@given(every)
def test_canonical_text_is_read_back(one: Pattern) -> None:
    assert pattern(one.text) == one
    assert parse(one.text) == one.text


@pytest.mark.parametrize("value", [value for value, _ in WRITTEN], ids=str)
def test_the_schema_takes_what_may_be_written(value: Any) -> None:
    jsonschema.validate(value, SCHEMA)


def told_by_schema(value: Any) -> bool:
    """Whether the schema can know this mistake: one of form, not of a size's upper bound or of two sizes together."""
    bound = isinstance(value, dict) and (value.get("window") == LARGEST + 1 or "fixed" in value)
    return not bound and value not in BEYOND_SCHEMA


@pytest.mark.parametrize("value", [value for value, _ in MISTAKES if told_by_schema(value)], ids=str)
def test_the_schema_refuses_what_parse_refuses(value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, SCHEMA)


def brute_force(one: Pattern, q: int, keys: int, causal: bool) -> int:
    return sum(bool(one.keeps(q, k)) and (k <= q or not causal) for k in range(keys))


@given(plain, st.integers(1, 60), st.booleans(), st.data())
def test_seen_counts_what_keeps_keeps(one: Pattern, keys: int, causal: bool, data: st.DataObject) -> None:
    q = data.draw(st.integers(0, keys - 1))
    assert one.seen(q, keys, causal) == brute_force(one, q, keys, causal)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("keys", [1, 7, 8, 9, 100])
@pytest.mark.parametrize("one", [Full(), Window(8), Strided(8, 8), Strided(8, 3), Fixed(8, 2), Fixed(8, 8)], ids=str)
def test_seen_at_the_edges(one: Pattern, keys: int, causal: bool) -> None:
    for q in range(keys):
        assert one.seen(q, keys, causal) == brute_force(one, q, keys, causal), q
    assert one.pairs(keys, causal) == sum(brute_force(one, q, keys, causal) for q in range(keys))


@given(plain, st.integers(1, 150), st.booleans())
def test_pairs_are_the_sum_of_what_every_query_sees(one: Pattern, length: int, causal: bool) -> None:
    assert one.pairs(length, causal) == sum(one.seen(q, length, causal) for q in range(length))


@given(plain, st.integers(1, 30))
def test_tensors_mean_the_same_as_integers(one: Pattern, length: int) -> None:
    positions = torch.arange(length)
    kept = one.keeps(positions[:, None], positions[None])
    assert kept.tolist() == [[bool(one.keeps(q, k)) for k in range(length)] for q in range(length)]


@given(plain, st.integers(0, 100))
def test_every_query_sees_itself(one: Pattern, q: int) -> None:
    assert one.keeps(q, q)


@given(plain, st.integers(0, 100), st.integers(0, 100))
def test_reach_is_the_first_distance_without_keys(one: Pattern, q: int, k: int) -> None:
    if one.reach is None:
        assert not isinstance(one, Window)
    else:
        assert bool(one.keeps(q, k)) == (abs(q - k) < one.reach)


def test_a_stack_has_layers_and_no_meaning_of_its_own() -> None:
    stack = Alternating(256, 4)
    assert stack.layers == (Window(256), Window(256), Window(256), Full())
    assert Alternating(256, 2).layers == (Window(256), Full())
    assert Window(256).layers == (Window(256),)
    with pytest.raises(TypeError, match="alternating is a stack of layers"):
        stack.keeps(0, 0)
    with pytest.raises(TypeError, match="alternating is a stack of layers"):
        stack.seen(0, 1, True)
    with pytest.raises(TypeError, match="alternating is a stack of layers"):
        stack.pairs(1, True)
