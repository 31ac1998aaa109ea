"""The steps from the block of 2017 to that of 2024, one improvement at a time, and 2024's without each. No torch.

    2017   post-norm, LayerNorm, ReLU, a KV head for every head, absolute positions, naive attention
    2024   pre-norm, RMSNorm, SwiGLU, shared KV heads, RoPE, flash                       (Llama 3)

A step `+x` has everything up to x; `-x` is 2024 without x.
"""

from __future__ import annotations

from collections.abc import Mapping

from tbench.records import Value

Switches = dict[str, Value]
FIRST: Switches = {
    "placement": "post",
    "norm": "layernorm",
    "activation": "relu",
    "shared": False,
    "position": "sinusoidal",
    "kernel": "naive",
}
STEPS: Mapping[str, Switches] = {
    "pre-norm": {"placement": "pre"},
    "rmsnorm": {"norm": "rmsnorm"},
    "swiglu": {"activation": "swiglu"},
    "gqa": {"shared": True},
    "rope": {"position": "rope"},
    "flash": {"kernel": "flash"},
}
CUSTOM = "custom"


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


def name_of(switches: Switches) -> str:
    """The name of a design, or `custom`."""
    return next((name for name, known in DESIGNS.items() if known == switches), CUSTOM)
