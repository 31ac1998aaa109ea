"""Sizes of well-known models, so that a scenario can say `model: llama-3-8b` in place of six numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Preset:
    """One model's sizes, in the field's own words. `window`: keys a sliding window keeps, None for full attention.

    `ffn_hidden`: width inside the feed-forward layer; `ffn_matrices`: 3 if it is gated, else 2. `max_positions`: the
    length it was published with. `source`: where the figures stand.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn_hidden: int
    vocab: int
    max_positions: int
    source: str
    window: int | None = None
    ffn_matrices: int = 3

    def axes(self, names: Iterable[str]) -> dict[str, int]:
        """Those sizes that are among `names` and that the model has."""
        sizes = asdict(self)
        return {name: sizes[name] for name in names if isinstance(sizes.get(name), int)}


PRESETS = {
    "llama-3-8b": Preset(
        layers=32,
        hidden=4096,
        heads=32,
        kv_heads=8,
        head_dim=128,
        ffn_hidden=14336,
        vocab=128256,
        max_positions=8192,
        source="Grattafiori et al. 2024, The Llama 3 Herd of Models, Table 3; vocab: Meta-Llama-3-8B's config.json",
    ),
    "llama-2-7b": Preset(
        layers=32,
        hidden=4096,
        heads=32,
        kv_heads=32,
        head_dim=128,
        ffn_hidden=11008,
        vocab=32000,
        max_positions=4096,
        source="Touvron et al. 2023, Llama 2, Table 1; widths from Llama-2-7b-hf's config.json",
    ),
    "mistral-7b": Preset(
        layers=32,
        hidden=4096,
        heads=32,
        kv_heads=8,
        head_dim=128,
        ffn_hidden=14336,
        vocab=32000,
        max_positions=8192,
        window=4096,
        source="Jiang et al. 2023, Mistral 7B, Table 1",
    ),
    "gpt3-175b": Preset(
        layers=96,
        hidden=12288,
        heads=96,
        kv_heads=96,
        head_dim=128,
        ffn_hidden=49152,
        vocab=50257,
        max_positions=2048,
        ffn_matrices=2,
        source="Brown et al. 2020, Language Models are Few-Shot Learners, §2.1 and Table 2.1; vocabulary of GPT-2",
    ),
    "qwen2.5-7b": Preset(
        layers=28,
        hidden=3584,
        heads=28,
        kv_heads=4,
        head_dim=128,
        ffn_hidden=18944,
        vocab=152064,
        max_positions=131072,
        source="Qwen Team 2024, Qwen2.5 Technical Report, Table 1; widths and vocabulary from Qwen2.5-7B's config.json",
    ),
    "llama-3-70b": Preset(
        layers=80,
        hidden=8192,
        heads=64,
        kv_heads=8,
        head_dim=128,
        ffn_hidden=28672,
        vocab=128256,
        max_positions=8192,
        source="Grattafiori et al. 2024, The Llama 3 Herd of Models, Table 3; vocab: Meta-Llama-3-70B's config.json",
    ),
}
