"""From the block of 2017 to that of 2024, one improvement at a time, and 2024's without each. No torch.

    2017   post-norm, LayerNorm, ReLU, a KV head for every head, absolute positions, naive attention
    2024   pre-norm, RMSNorm, SwiGLU, shared KV heads, RoPE, flash                       (Llama 3)

A step `+x` has everything up to x; `-x` is 2024 without x.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tbench.model.config import ModelConfig, matched, reinvested

Switches = dict[str, Any]
FIRST: Switches = {
    "norm_position": "post",
    "norm": "layernorm",
    "activation": "relu",
    "kv_sharing": "mha",
    "position_encoding": "sinusoidal",
    "attention": "naive",
}
STEPS: Mapping[str, Switches] = {
    "pre-norm": {"norm_position": "pre"},
    "rmsnorm": {"norm": "rmsnorm"},
    "swiglu": {"activation": "swiglu"},
    "gqa": {"kv_sharing": "gqa"},
    "rope": {"position_encoding": "rope"},
    "flash": {"attention": "flash"},
}


def designs() -> dict[str, Switches]:
    """Every named design, in the order of the ladder; after 2024 those without one step."""
    found = {"2017": FIRST}
    for name, change in STEPS.items():
        found[f"+{name}"] = found[next(reversed(found))] | change
    found["2024"] = found.pop("+flash")
    last = found["2024"]
    for name, change in STEPS.items():
        found[f"-{name}"] = last | {switch: FIRST[switch] for switch in change}
    del found["-flash"]  # it is +rope
    return found


DESIGNS = designs()


def kv_heads(heads: int, sharing: str) -> int:
    """Of `mha` all heads, of `gqa` a quarter of them, of `mqa` one."""
    return {"mha": heads, "gqa": max(1, heads // 4), "mqa": 1}[sharing]


def models(sizes: ModelConfig) -> dict[str, ModelConfig]:
    """A model of every design, all with as many parameters: what shared KV heads save is given to the feed-forward
    layers."""
    return {name: model(sizes, switches) for name, switches in DESIGNS.items()}


def model(sizes: ModelConfig, switches: Switches) -> ModelConfig:
    rest = {name: value for name, value in switches.items() if name != "kv_sharing"}
    return reinvested(matched(sizes, kv_heads=kv_heads(sizes.heads, switches["kv_sharing"]), **rest))
