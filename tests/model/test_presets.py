"""Model presets against what their authors published."""

from __future__ import annotations

import pytest

from tbench.model.presets import PRESETS

# num_hidden_layers, hidden_size, num_attention_heads, num_key_value_heads, intermediate_size, vocab_size,
# max_position_embeddings, sliding_window of the config.json on which each model was released; for gpt3-175b,
# Table 2.1 of Brown et al. 2020 with d_ff = 4 d_model.
PUBLISHED = {
    "llama-3-8b": (32, 4096, 32, 8, 14336, 128256, 8192, None),
    "llama-2-7b": (32, 4096, 32, 32, 11008, 32000, 4096, None),
    "mistral-7b": (32, 4096, 32, 8, 14336, 32000, 8192, 4096),
    "gpt3-175b": (96, 12288, 96, 96, 49152, 50257, 2048, None),
    "qwen2.5-7b": (28, 3584, 28, 4, 18944, 152064, 131072, None),
    "llama-3-70b": (80, 8192, 64, 8, 28672, 128256, 8192, None),
}
# Parameters: exact where the released weights have been counted (with norms and biases), else in billions as stated.
PARAMETERS = {
    "llama-3-8b": 8_030_261_248,
    "llama-2-7b": 6_738_415_616,
    "qwen2.5-7b": 7_615_616_512,
    "mistral-7b": 7.24e9,
    "gpt3-175b": 175.0e9,
    "llama-3-70b": 70.6e9,
}


def test_there_is_a_preset_for_each() -> None:
    assert set(PRESETS) == set(PUBLISHED) == set(PARAMETERS)


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes(name: str) -> None:
    c = PRESETS[name].config
    sizes = (c.layers, c.hidden, c.heads, c.kv_heads, c.ffn_hidden, c.vocab, c.max_positions)
    assert (*sizes, PRESETS[name].window) == PUBLISHED[name]
    assert c.heads * c.head_dim == c.hidden
    assert PRESETS[name].source


@pytest.mark.parametrize("name", PARAMETERS)
def test_sizes_add_up_to_the_stated_number_of_parameters(name: str) -> None:
    exact = isinstance(PARAMETERS[name], int)
    assert PRESETS[name].config.parameters == pytest.approx(PARAMETERS[name], rel=0 if exact else 0.005, abs=0)


def test_a_preset_has_the_models_switches_too() -> None:
    switches = ("norm", "activation", "position_encoding", "bias", "rope_base", "tied_embeddings")
    assert PRESETS["gpt3-175b"].axes(switches) == dict(
        zip(switches, ("layernorm", "gelu", "learned", "all", 10_000, True), strict=True)
    )
    assert PRESETS["qwen2.5-7b"].axes(switches) == dict(
        zip(switches, ("rmsnorm", "swiglu", "rope", "qkv", 1_000_000, False), strict=True)
    )


def test_only_sizes_a_component_has() -> None:
    assert PRESETS["llama-3-8b"].axes(["seq_len", "heads", "window", "source"]) == {"heads": 32}
    assert PRESETS["mistral-7b"].axes(["window"]) == {"window": 4096}
