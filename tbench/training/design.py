"""Every choice of the model as a switch, and the ladder that leads from the block of 2017 to that of 2024. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tbench.components.attention.pattern import Pattern, pattern

CHOICES: dict[str, tuple[str, ...]] = {
    "placement": ("post", "pre"),
    "norm": ("layernorm", "rmsnorm"),
    "activation": ("relu", "gelu", "geglu", "swiglu"),
    "position": ("none", "learned", "sinusoidal", "rope", "alibi"),
    "kernel": ("naive", "flash"),
}
GATED = ("geglu", "swiglu")


@dataclass(frozen=True)
class Design:
    """Sizes and switches of a decoder.

    `kv_heads` 0 is one for each head. `inner` is the width of an ungated feed-forward layer (0: four times `hidden`);
    a gated one, with three matrices in place of two, has 2/3 of it, so that parameters are equal, or all of it where
    `matched` is false. `refill`: what sharing KV heads saves goes to the feed-forward layer. `longest`: positions of a
    learned table. `factor`: RoPE's positions are divided by it (interpolation). `pattern`: canonical text; a stack's
    layers take its patterns in turn. Raises ValueError for what cannot be built.
    """

    layers: int = 4
    heads: int = 4
    head_dim: int = 16
    hidden: int = 64
    vocabulary: int = 256
    kv_heads: int = 0
    inner: int = 0
    matched: bool = True
    refill: bool = False
    placement: str = "pre"
    norm: str = "rmsnorm"
    activation: str = "swiglu"
    position: str = "rope"
    longest: int = 0
    factor: float = 1.0
    pattern: str = "full"
    kernel: str = "flash"

    def __post_init__(self) -> None:
        for switch, choices in CHOICES.items():
            if getattr(self, switch) not in choices:
                raise ValueError(f"{switch} is {getattr(self, switch)!r}; write {' or '.join(choices)}")
        if self.heads % self.keys:
            raise ValueError(f"{self.keys} KV heads cannot be shared evenly by {self.heads} heads")
        if self.position == "learned" and self.longest < 1:
            raise ValueError("a learned table needs its number of positions; write longest")
        pattern(self.pattern)

    @property
    def keys(self) -> int:
        """KV heads."""
        return self.kv_heads or self.heads

    @property
    def gated(self) -> bool:
        return self.activation in GATED

    @property
    def width(self) -> int:
        """Width inside the feed-forward layer, as built. Rounding moves its parameters by less than 1/width."""
        matrices = 3 if self.gated else 2
        wanted = (2 if self.matched else matrices) * (self.inner or 4 * self.hidden)
        if self.refill:
            wanted += 2 * (self.heads - self.keys) * self.head_dim
        return round(wanted / matrices)

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """One for each layer."""
        period = pattern(self.pattern).layers
        return tuple(period[layer % len(period)] for layer in range(self.layers))

    def with_(self, **changes: Any) -> Design:
        return replace(self, **changes)


# The block of 2017 (Vaswani et al.), and what leads to that of 2024 (Llama 3), one improvement a step. The parameters
# that GQA saves go to the feed-forward layer, so that every step compares models of the same size.
FIRST: Mapping[str, Any] = {
    "placement": "post",
    "norm": "layernorm",
    "activation": "relu",
    "kv_heads": 0,
    "refill": False,
    "position": "sinusoidal",
    "kernel": "naive",
}


def steps(sizes: Design) -> dict[str, Mapping[str, Any]]:
    """What each step changes."""
    return {
        "pre-norm": {"placement": "pre"},
        "rmsnorm": {"norm": "rmsnorm"},
        "swiglu": {"activation": "swiglu"},
        "gqa": {"kv_heads": max(1, sizes.heads // 4), "refill": True},
        "rope": {"position": "rope"},
        "flash": {"kernel": "flash"},
    }


def ladder(sizes: Design) -> dict[str, Design]:
    """`2017`, then `+x` with everything up to x, `2024` with all, and `-x` without x (`-flash` is `+rope`)."""
    changes = steps(sizes)
    found = {"2017": sizes.with_(**FIRST)}
    for name, change in changes.items():
        found[f"+{name}"] = found[next(reversed(found))].with_(**change)
    found["2024"] = last = found.pop("+flash")
    for name in [name for name in changes if name != "flash"]:
        found[f"-{name}"] = last.with_(**{switch: FIRST[switch] for switch in changes[name]})
    return found
