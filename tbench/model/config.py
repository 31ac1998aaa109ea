"""A decoder-only Transformer as data: sizes as they are built, and named switches. No torch.

    2017    x = norm(x + attention(x));  x = norm(x + feedforward(x))       Vaswani et al. 2017, §3.1 (post-norm)
    2024    x = x + attention(norm(x));  x = x + feedforward(norm(x))       Llama 3 (pre-norm)

The feed-forward layer of 2017 is two matrices with ReLU between them. A gated one (GEGLU, SwiGLU; Shazeer 2020) has
three and, for the same number of parameters, two thirds of the width. Absolute positions are added to the embeddings,
outside the blocks; RoPE turns queries and keys in every block, ALiBi lowers the scores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import Any

from tbench.model.pattern import Pattern, pattern

GATED = ("geglu", "swiglu")
CHOICES: dict[str, tuple[str, ...]] = {
    "norm": ("layernorm", "rmsnorm"),
    "norm_position": ("post", "pre"),
    "activation": ("relu", "gelu", *GATED),
    "position_encoding": ("none", "learned", "sinusoidal", "rope", "alibi"),
    "bias": ("none", "qkv", "all"),
    "attention": ("naive", "flash"),
}
ROPE_BASE = 10_000  # Su et al. 2021, §3.2.2
NORM_EPSILON = 1e-5
TOLERANCE = 0.01  # of the parameters of layers that are to have equally many
MULTIPLES = (256, 128, 64, 32, 16, 8, 4, 2, 1)  # widths that processors like, best first


@dataclass(frozen=True)
class ModelConfig:
    """Symbols: D hidden, H heads, G kv_heads, d head_dim, F ffn_hidden.

    `bias`: which matrices of the blocks have one, `qkv` as in Qwen 2.5, `all` as in GPT. `max_positions`: rows of a
    learned table of positions. `rope_factor`: RoPE's positions are divided by it (interpolation). `pattern`: which keys
    a query sees, as canonical text; a stack's layers take its patterns in turn. `attention`: `naive` is written out,
    `flash` is PyTorch's fused kernel. Raises ValueError for what cannot be built.
    """

    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn_hidden: int
    layers: int = 1
    vocab: int = 256
    norm: str = "rmsnorm"
    norm_position: str = "pre"
    activation: str = "swiglu"
    position_encoding: str = "rope"
    bias: str = "none"
    tied_embeddings: bool = False
    max_positions: int = 0
    rope_base: int = ROPE_BASE
    rope_factor: float = 1.0
    norm_epsilon: float = NORM_EPSILON
    pattern: str = "full"
    attention: str = "flash"

    def __post_init__(self) -> None:
        for switch, choices in CHOICES.items():
            if getattr(self, switch) not in choices:
                raise ValueError(f"{switch} is {getattr(self, switch)!r}; write {' or '.join(choices)}")
        if self.heads % self.kv_heads:
            raise ValueError(uneven(self.heads, self.kv_heads))
        if self.position_encoding == "learned" and self.max_positions < 1:
            raise ValueError("a learned table needs its number of positions; write max_positions")
        pattern(self.pattern)

    def with_(self, **changes: Any) -> ModelConfig:
        return replace(self, **changes)

    @property
    def gated(self) -> bool:
        return self.activation in GATED

    @property
    def rotary(self) -> bool:
        return self.position_encoding == "rope"

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """One for each layer."""
        period = pattern(self.pattern).layers
        return tuple(period[layer % len(period)] for layer in range(self.layers))

    def block_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every parameter of a block by name; matrices (out, in)."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        shapes: dict[str, tuple[int, ...]] = {
            "wq": (queries, self.hidden),
            "wk": (keys, self.hidden),
            "wv": (keys, self.hidden),
            "wo": (self.hidden, queries),
            "w_up": (self.ffn_hidden, self.hidden),
            "w_down": (self.hidden, self.ffn_hidden),
        }
        if self.gated:
            shapes["w_gate"] = (self.ffn_hidden, self.hidden)
        biased = {"none": (), "qkv": ("wq", "wk", "wv"), "all": tuple(shapes)}[self.bias]
        shapes |= {name.replace("w", "b", 1): shapes[name][:1] for name in biased}
        for number in (1, 2):
            shapes |= dict.fromkeys(self.norm_names(number), (self.hidden,))
        return shapes

    def norm_names(self, number: int) -> tuple[str, ...]:
        """Parameters of a norm: its weight, and LayerNorm's bias."""
        return (f"norm{number}", f"norm{number}_bias") if self.norm == "layernorm" else (f"norm{number}",)

    @property
    def matrix_parameters(self) -> int:
        """Of a block, what is multiplied."""
        return sum(prod(shape) for shape in self.block_shapes().values() if len(shape) == 2)

    @property
    def block_parameters(self) -> int:
        return sum(prod(shape) for shape in self.block_shapes().values())

    @property
    def parameters(self) -> int:
        """Of the whole model: embedding, learned positions, blocks, last norm (pre-norm only), output matrix."""
        embeddings = self.vocab * (1 if self.tied_embeddings else 2)
        positions = self.max_positions if self.position_encoding == "learned" else 0
        norms = len(self.norm_names(1)) if self.norm_position == "pre" else 0
        return self.layers * self.block_parameters + self.hidden * (embeddings + positions + norms)


def uneven(heads: int, kv_heads: int) -> str:
    return f"{kv_heads} KV heads cannot be shared evenly by {heads} heads; write a divisor of {heads}"


@cache
def rounded(width: float) -> int | None:
    """A width within 1% of this one that is a multiple of as large a power of two as possible; None: there is none.

    A GPU's matrix units are for multiples of 8 in half precision: on an H100 a block with an odd width took half as
    long again.
    """
    for multiple in MULTIPLES:
        near = multiple * round(width / multiple)
        if near and abs(near / width - 1) < TOLERANCE:
            return near
    return None


def matched_width(ungated: int, gated: bool) -> int | None:
    """Width of a layer with as many parameters as an ungated one of this width: about 2/3 of it where it is gated,
    for that has 3 matrices of D · F in place of 2 (Shazeer 2020, §2). None: no whole number is within 1%."""
    return rounded(2 / 3 * ungated) if gated else ungated


def matched(config: ModelConfig, **changes: Any) -> ModelConfig:
    """`config` with `changes`, and as many feed-forward parameters as an ungated layer of 4 · hidden. Raises
    ValueError where no width has as many."""
    changed = config.with_(**changes)
    width = matched_width(4 * changed.hidden, changed.gated)
    if width is None:
        raise ValueError(f"no width matches the parameters of 4 · {changed.hidden} within {TOLERANCE:.0%}")
    return changed.with_(ffn_hidden=width)


def reinvested(config: ModelConfig) -> ModelConfig:
    """The parameters that sharing KV heads saves go to the feed-forward layer. Raises ValueError as `matched` does."""
    saved = 2 * (config.heads - config.kv_heads) * config.head_dim
    width = rounded(config.ffn_hidden + saved / (3 if config.gated else 2))
    if width is None:
        raise ValueError(f"no width takes up what {config.kv_heads} of {config.heads} KV heads save")
    return config.with_(ffn_hidden=width)
