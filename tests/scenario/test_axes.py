"""The words of a scenario: their values, what is wrong with others, and what follows from what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.components.attention import ATTENTION
from tbench.components.block import BLOCK
from tbench.components.registry import Impossible
from tbench.errors import ScenarioError
from tbench.scenario.axes import RENAMED, Missing, axis_fields, kv_heads, resolve
from tests.scenario.conftest import Loads
from tests.scenario.toy import TOY

WORDS = axis_fields(TOY)


def test_every_axis_has_a_word() -> None:
    assert list(WORDS) == [
        *("phase", "dtype", "model"),
        *("batch", "seq_len", "heads", "kv_heads", "head_dim", "causal", "pattern", "kernel"),
        "kv_sharing",
    ]


@pytest.mark.parametrize(
    ("axis", "value", "canonical"),
    [
        ("seq_len", 1024, 1024),
        ("causal", False, False),
        ("kernel", "fast", "fast"),
        ("pattern", {"window": 256}, "window:256"),
        ("dtype", "bfloat16", "bfloat16"),
        ("model", "llama-3-8b", "llama-3-8b"),
        ("kv_sharing", "gqa:4", "gqa:4"),
    ],
)
def test_values(axis: str, value: Any, canonical: object) -> None:
    assert WORDS[axis].parse(value) == canonical


@pytest.mark.parametrize(
    ("axis", "value", "said"),
    [
        ("seq_len", "1024", "'1024' is not a whole number"),
        ("seq_len", 1024.0, "1024.0 is not a whole number; write 1024"),
        ("seq_len", 0.5, "0.5 is not a whole number"),
        ("seq_len", True, "true is not a whole number"),
        ("seq_len", 0, "0 is not between 1 and"),
        ("seq_len", 10**13, "is not between 1 and"),
        ("causal", "true", "'true' is neither true nor false"),
        ("causal", 1, "1 is neither true nor false"),
        ("kernel", "fsat", "'fsat' is not a kernel of toy; did you mean 'fast'?"),
        ("kernel", "zzz", "'zzz' is not a kernel of toy; choose from slow, fast, odd"),
        ("kernel", None, "nothing is not a kernel of toy"),
        ("kernel", ["fast"], "['fast'] is not a kernel of toy"),
        ("dtype", "fp32", "did you mean 'float32'?"),
        ("dtype", "half", "did you mean 'float16'?"),
        ("dtype", "BF16", "did you mean 'bfloat16'?"),
        ("phase", "forwards", "did you mean 'forward'?"),
        ("model", "llama3-8b", "did you mean 'llama-3-8b'?"),
        ("kv_sharing", "shared", "write mha, mqa, gqa, or gqa:8"),
        ("kv_sharing", "gqa:0", "write mha, mqa, gqa, or gqa:8"),
        ("kernel", "x" * 5000, "…"),
    ],
)
def test_mistakes(axis: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        WORDS[axis].parse(value)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_is_said_wins_over_the_model_and_that_over_defaults() -> None:
    point = {"model": "llama-3-8b", "seq_len": 64, "head_dim": 32, "kernel": "fast"}
    assert resolve(TOY, point) == {
        "batch": 1,
        "seq_len": 64,
        "heads": 32,
        "kv_heads": 8,
        "head_dim": 32,
        "causal": True,
        "pattern": "full",
        "kernel": "fast",
    }


def test_kv_heads_follow_from_heads() -> None:
    assert resolve(TOY, {"seq_len": 1, "heads": 6, "kernel": "fast"})["kv_heads"] == 6


@pytest.mark.parametrize(
    ("sharing", "heads", "model", "count"),
    [
        ("mha", 32, None, 32),
        ("mqa", 32, None, 1),
        ("gqa", 32, None, 8),
        ("gqa:2", 32, None, 2),
        ("gqa", 28, "qwen2.5-7b", 4),
        ("mha", 28, "qwen2.5-7b", 28),
    ],
)
def test_kv_sharing(sharing: str, heads: int, model: str | None, count: int) -> None:
    assert kv_heads(sharing, heads, model) == count


@pytest.mark.parametrize(("heads", "model"), [(6, None), (32, "llama-2-7b")])
def test_gqa_without_a_size(heads: int, model: str | None) -> None:
    with pytest.raises(Impossible, match="write gqa:N"):
        kv_heads("gqa", heads, model)


def test_missing_and_impossible() -> None:
    with pytest.raises(Missing) as missing:
        resolve(TOY, {"kernel": "fast"})
    assert missing.value.names == ("seq_len", "heads", "kv_heads")
    with pytest.raises(Missing) as missing:
        resolve(TOY, {"kernel": "fast", "seq_len": 1, "kv_sharing": "mqa"})
    assert missing.value.names == ("heads",)
    with pytest.raises(Impossible) as impossible:
        resolve(TOY, {"kernel": "fast", "seq_len": 1, "heads": 8, "kv_heads": 3})
    assert impossible.value.axis == "kv_heads"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(WORDS)), ANYTHING)
def test_any_value_is_canonical_or_told(axis: str, value: Any) -> None:
    try:
        canonical = WORDS[axis].parse(value)
    except ValueError as error:
        assert str(error)
    else:
        assert isinstance(canonical, int | str)
        assert WORDS[axis].parse(canonical) == canonical


@pytest.mark.parametrize(("old", "new"), [(old, new.split(",")[0]) for old, new in RENAMED.items()])
def test_an_axis_that_was_renamed_is_told_by_its_new_name(loads: Loads, old: str, new: str) -> None:
    scenario = f"version: 1\nname: s\ncomponent: block\nphase: forward\nfixed: {{hidden: 64, heads: 4, {old}: pre}}\n"
    with pytest.raises(ScenarioError, match=rf"5:\d+: '{old}' was renamed: write {new}"):
        loads(scenario)


def test_an_old_name_is_not_told_where_the_new_one_is_unknown_too(loads: Loads) -> None:
    scenario = "version: 1\nname: s\ncomponent: position\nphase: forward\nfixed: {heads: 4, position: rope}\n"
    with pytest.raises(ScenarioError, match=r"5:\d+: unknown axis 'position'.*encoding"):
        loads(scenario)


def test_a_design_does_not_yield_to_a_model_in_silence() -> None:
    sizes: dict[str, Any] = {"seq_len": 8, "model": "llama-3-8b"}
    assert resolve(BLOCK, {**sizes, "design": "2024"})["norm_position"] == "pre"
    with pytest.raises(Impossible, match="llama-3-8b sets what design=2017 would set differently") as impossible:
        resolve(BLOCK, {**sizes, "design": "2017"})
    assert impossible.value.axis == "design"


DECODE = {"phase": "decode", "batch": 4, "seq_len": 64, "heads": 4, "head_dim": 8, "kernel": "naive"}


def test_an_axis_of_some_phases_is_named_only_where_it_is_unusual() -> None:
    assert "lengths" not in resolve(ATTENTION, DECODE)
    assert "lengths" not in resolve(ATTENTION, {**DECODE, "phase": "forward", "lengths": "equal"})
    assert resolve(ATTENTION, {**DECODE, "lengths": "ragged"})["lengths"] == "ragged"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"phase": "forward"}, "lengths=ragged is for decode only"),
        ({"batch": 1}, "a batch of 2 to 4096, not of 1"),
        ({"batch": 10**12}, "a batch of 2 to 4096, not of 1000000000000"),
        ({"pattern": "strided:8:4"}, "ragged caches are read in full or in a window, not by pattern strided:8:4"),
    ],
)
def test_ragged_lengths_where_there_are_none(more: dict[str, Any], said: str) -> None:
    with pytest.raises(Impossible, match=said) as impossible:
        resolve(ATTENTION, {**DECODE, "lengths": "ragged", **more})
    assert impossible.value.axis == "lengths"
