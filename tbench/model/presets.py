"""Well-known models, so that a scenario can say `model: llama-3-8b` in place of a dozen axes. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tbench.model.config import ModelConfig
from tbench.records import Value

# What a component may have an axis for, in the field's own words.
FILLED = (
    *("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn_hidden", "vocab", "max_positions"),
    *("norm", "norm_position", "activation", "position_encoding", "bias", "rope_base", "tied_embeddings"),
)


@dataclass(frozen=True)
class Preset:
    """One published model. `window`: keys a sliding window keeps, None for full attention. `max_positions` is the
    length it was published with. `source`: where the figures stand."""

    config: ModelConfig
    source: str
    window: int | None = None

    def axes(self, names: Iterable[str]) -> dict[str, Value]:
        """What the model has of the axes among `names`."""
        known: dict[str, Value] = {name: getattr(self.config, name) for name in FILLED}
        known["encoding"] = self.config.position_encoding  # the one axis of the component `position` itself
        if self.window is not None:
            known["window"] = self.window
        return {name: known[name] for name in names if name in known}


PRESETS = {
    "llama-3-8b": Preset(
        ModelConfig(
            layers=32,
            hidden=4096,
            heads=32,
            kv_heads=8,
            head_dim=128,
            ffn_hidden=14336,
            vocab=128256,
            max_positions=8192,
            rope_base=500_000,
        ),
        source="Grattafiori et al. 2024, The Llama 3 Herd of Models, Table 3; vocab: Meta-Llama-3-8B's config.json",
    ),
    "llama-2-7b": Preset(
        ModelConfig(
            layers=32,
            hidden=4096,
            heads=32,
            kv_heads=32,
            head_dim=128,
            ffn_hidden=11008,
            vocab=32000,
            max_positions=4096,
        ),
        source="Touvron et al. 2023, Llama 2, Table 1; widths from Llama-2-7b-hf's config.json",
    ),
    "mistral-7b": Preset(
        ModelConfig(
            layers=32,
            hidden=4096,
            heads=32,
            kv_heads=8,
            head_dim=128,
            ffn_hidden=14336,
            vocab=32000,
            max_positions=8192,
        ),
        window=4096,
        source="Jiang et al. 2023, Mistral 7B, Table 1",
    ),
    "gpt3-175b": Preset(
        ModelConfig(
            layers=96,
            hidden=12288,
            heads=96,
            kv_heads=96,
            head_dim=128,
            ffn_hidden=49152,
            vocab=50257,
            max_positions=2048,
            norm="layernorm",
            activation="gelu",
            position_encoding="learned",
            bias="all",
            tied_embeddings=True,
        ),
        source="Brown et al. 2020, Language Models are Few-Shot Learners, §2.1 and Table 2.1; vocabulary and all else "
        "as GPT-2",
    ),
    "qwen2.5-7b": Preset(
        ModelConfig(
            layers=28,
            hidden=3584,
            heads=28,
            kv_heads=4,
            head_dim=128,
            ffn_hidden=18944,
            vocab=152064,
            max_positions=131072,
            bias="qkv",
            rope_base=1_000_000,
            norm_epsilon=1e-6,
        ),
        source="Qwen Team 2024, Qwen2.5 Technical Report, Table 1; widths and vocabulary from Qwen2.5-7B's config.json",
    ),
    "llama-3-70b": Preset(
        ModelConfig(
            layers=80,
            hidden=8192,
            heads=64,
            kv_heads=8,
            head_dim=128,
            ffn_hidden=28672,
            vocab=128256,
            max_positions=8192,
            rope_base=500_000,
        ),
        source="Grattafiori et al. 2024, The Llama 3 Herd of Models, Table 3; vocab: Meta-Llama-3-70B's config.json",
    ),
}
