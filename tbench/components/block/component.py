"""The block as a component: its axes, and the door to its formulas and its workload. No torch."""

from __future__ import annotations

from typing import Any

from tbench.components.attention import own as attention
from tbench.components.attention.problem import layers
from tbench.components.block import formulas
from tbench.components.block.problem import BlockProblem
from tbench.components.registry import Axis, Component, Impossible, Kernel, Variant
from tbench.model import ladder
from tbench.model.config import CHOICES, GATED, ROPE_BASE, matched_width, uneven
from tbench.records import Value

CUSTOM = "custom"
ENCODINGS = ("none", "learned", "sinusoidal", "rope")  # all but rope are outside the block

AXES = (
    Axis("batch", "int", "sequences side by side", default=1),
    Axis("seq_len", "int", "tokens of a sequence; in decode, tokens in the KV cache"),
    Axis("hidden", "int", "width of the model"),
    Axis("heads", "int", "query heads"),
    Axis("head_dim", "int", "size of a head [hidden / heads]"),
    Axis("ffn_hidden", "int", "width inside the feed-forward layer [4 · hidden; with a gate about 2/3 of it]"),
    Axis("design", "choice", "a step of the ladder, which sets the axes below", "2024", (*ladder.DESIGNS, CUSTOM)),
    Axis("norm_position", "choice", "post-norm or pre-norm [as the design]", choices=CHOICES["norm_position"]),
    Axis("norm", "choice", "normalisation [as the design]", choices=CHOICES["norm"]),
    Axis("activation", "choice", "inside the feed-forward layer [as the design]", choices=CHOICES["activation"]),
    Axis("kv_heads", "int", "key and value heads [as the design: all heads, or a quarter of them]"),
    Axis("position_encoding", "choice", "rope turns q and k in the block [as the design]", choices=ENCODINGS),
    Axis("rope_base", "int", "base of RoPE's frequencies", default=ROPE_BASE),
    Axis("bias", "choice", "which matrices have a bias", default="none", choices=CHOICES["bias"]),
    Axis("kernel", "choice", "how attention is computed [as the design]"),
)


def complete(values: dict[str, Any]) -> dict[str, Value]:
    """Sizes follow from hidden and heads, switches from the design; what is given wins, and the design's name tells
    the truth: `custom` where it is no step of the ladder. Raises Impossible, and KeyError for a size that is missing.
    """
    hidden, heads = values["hidden"], values["heads"]
    if "head_dim" not in values and hidden % heads:
        raise Impossible("heads", f"{heads} heads do not divide a width of {hidden}; write head_dim too")
    head_dim = values.setdefault("head_dim", hidden // heads)
    switches = dict(ladder.DESIGNS.get(values["design"], ladder.DESIGNS["2024"]))
    kv_heads = values.setdefault("kv_heads", ladder.kv_heads(heads, switches.pop("kv_sharing")))
    values.setdefault("kernel", switches.pop("attention"))
    for name, value in switches.items():
        values.setdefault(name, value)
    sharing = "gqa" if kv_heads < heads else "mha"
    had = {"kv_sharing": sharing, "attention": values["kernel"]} | {name: values[name] for name in switches}
    values["design"] = next((name for name, known in ladder.DESIGNS.items() if known == had), CUSTOM)
    if heads % kv_heads:
        raise Impossible("kv_heads", uneven(heads, kv_heads))
    width = values.setdefault("ffn_hidden", matched_width(4 * hidden, values["activation"] in GATED))
    if width is None:
        raise Impossible("hidden", f"{hidden} is too small to match parameters within 1%; write ffn_hidden too")
    if values["position_encoding"] == "rope" and head_dim % 2:
        raise Impossible("head_dim", f"rope turns pairs of numbers, and head_dim is {head_dim}; write an even one")
    return values


def build(block: BlockProblem, variant: Variant, seed: int, sets: int, apart: bool) -> Any:
    from tbench.components.block.workload import BlockWorkload

    return BlockWorkload(block, variant, seed, sets, apart)


def own(place: str, block: BlockProblem) -> Kernel:
    """The user's own attention inside; a factory is given attention's problem."""
    return attention.kernel(place, layers(block.attention_case())[0])


BLOCK = Component(
    name="block",
    about="a whole layer: attention, feed-forward, norms, residuals; from 2017's to 2024's",
    axes=AXES,
    phases=("forward", "forward_backward", "decode"),
    variant_axis="kernel",
    complete=complete,
    problem=BlockProblem,
    work=formulas.work,
    peak=lambda block, variant: formulas.peak_bytes(block),
    build=build,
    own=own,
)
