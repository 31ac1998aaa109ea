"""Model presets against what their authors published."""

from __future__ import annotations

import pytest

from tbench.scenario.presets import PRESETS, Preset

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
# Parameters their authors state, in billions.
PARAMETERS = {
    "llama-3-8b": 8.03,
    "llama-2-7b": 6.74,
    "mistral-7b": 7.24,
    "gpt3-175b": 175.0,
    "qwen2.5-7b": 7.61,
    "llama-3-70b": 70.6,
}


def test_there_is_a_preset_for_each() -> None:
    assert set(PRESETS) == set(PUBLISHED) == set(PARAMETERS)


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes(name: str) -> None:
    preset = PRESETS[name]
    sizes = (preset.layers, preset.hidden, preset.heads, preset.kv_heads, preset.ffn_hidden, preset.vocab)
    assert (*sizes, preset.max_positions, preset.window) == PUBLISHED[name]
    assert preset.heads * preset.head_dim == preset.hidden
    assert preset.heads % preset.kv_heads == 0
    assert preset.source


def parameters(preset: Preset, gated: bool) -> int:
    """Weights of a decoder: Q and output, K and V, feed-forward (three matrices if gated), embedding in and out."""
    attention = 2 * preset.hidden**2 + 2 * preset.hidden * preset.kv_heads * preset.head_dim
    feed_forward = (3 if gated else 2) * preset.hidden * preset.ffn_hidden
    return preset.layers * (attention + feed_forward) + (2 if gated else 1) * preset.vocab * preset.hidden


@pytest.mark.parametrize("name", PARAMETERS)
def test_sizes_add_up_to_the_stated_number_of_parameters(name: str) -> None:
    count = parameters(PRESETS[name], gated=name != "gpt3-175b")
    assert count / 1e9 == pytest.approx(PARAMETERS[name], rel=0.005)


def test_only_sizes_a_component_has() -> None:
    assert PRESETS["llama-3-8b"].axes(["seq_len", "heads", "window", "source"]) == {"heads": 32}
    assert PRESETS["mistral-7b"].axes(["window"]) == {"window": 4096}
