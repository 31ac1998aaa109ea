"""Exact claims are exact: matrices, cache bytes, a whole model's memory."""

from __future__ import annotations

import pytest

from tbench.catalog import get
from tbench.components.kv.counting import cache, count
from tbench.components.registry import Impossible
from tbench.records import Case, Value
from tbench.scenario.axes import resolve


def counted(**given: Value) -> dict[str, int | float]:
    return count(Case("kv", "decode", "cpu", "bfloat16", tuple(resolve(get("kv"), given).items())))


@pytest.mark.parametrize(("kv_heads", "matrices"), [(8, 24), (1, 10), (2, 12)])
def test_the_articles_matrices(kv_heads: int, matrices: int) -> None:
    found = counted(heads=8, kv_heads=kv_heads, head_dim=64, hidden=512, seq_len=1, vocab=10)
    assert found["matrices"] == matrices


def test_llama_3_8b_bytes_a_token() -> None:
    assert counted(model="llama-3-8b", seq_len=1)["kv_cache_bytes_per_token"] == 131_072
    assert counted(model="llama-3-8b", kv_sharing="mha", seq_len=1)["kv_cache_bytes_per_token"] == 524_288


def test_sharing_saves_exactly_its_part_of_the_cache() -> None:
    whole, shared, single = (
        counted(model="llama-3-8b", kv_sharing=how, seq_len=4096)["kv_cache_bytes"] for how in ("mha", "gqa", "mqa")
    )
    assert 1 - shared / whole == 0.75
    assert 1 - single / whole == 1 - 1 / 32


@pytest.mark.parametrize(
    ("model", "billions"), [("llama-3-8b", 8.03), ("llama-2-7b", 6.74), ("mistral-7b", 7.24), ("gpt3-175b", 175)]
)
def test_whole_models_have_the_parameters_they_are_known_for(model: str, billions: float) -> None:
    parameters = counted(model=model, seq_len=1)["weight_bytes"] / 2
    assert parameters / 1e9 == pytest.approx(billions, rel=0.01)


@pytest.mark.parametrize(
    ("model", "parameters"),
    [("llama-3-8b", 8_030_261_248), ("llama-2-7b", 6_738_415_616), ("qwen2.5-7b", 7_615_616_512)],
)
def test_weights_are_the_published_parameters_exactly(model: str, parameters: int) -> None:
    assert counted(model=model, seq_len=1, dtype="bfloat16")["weight_bytes"] == 2 * parameters


def test_memory_halves_only_where_the_cache_outgrows_the_weights() -> None:
    def saved(seq_len: int) -> float:
        whole = counted(model="llama-3-8b", kv_sharing="mha", seq_len=seq_len)["inference_bytes"]
        return 1 - counted(model="llama-3-8b", seq_len=seq_len)["inference_bytes"] / whole

    assert saved(2048) < 0.15
    assert saved(131_072) > 0.5


def test_a_rolling_cache_stops_growing() -> None:
    def held(seq_len: int, cache: str) -> float:
        return counted(model="llama-3-8b", seq_len=seq_len, cache=cache)["kv_cache_bytes"]

    assert held(2048, "rolling:4096") == held(2048, "full")
    assert held(131_072, "rolling:4096") == held(4096, "full") == held(131_072, "full") / 32


@pytest.mark.parametrize("words", ["rolling", "rolling:0", "rolling:x", "half", 4096, True])
def test_an_unknown_cache_is_refused(words: object) -> None:
    with pytest.raises(ValueError, match="write full, or rolling:4096"):
        cache(words)


def test_heads_that_cannot_be_shared_evenly_are_refused() -> None:
    with pytest.raises(Impossible, match="3 KV heads cannot be shared evenly by 8 heads"):
        counted(heads=8, kv_heads=3, head_dim=64, hidden=512, seq_len=1, vocab=10)
