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
    Axis("batch", "int", "batch size", default=1),
    Axis("seq_len", "int", "sequence length; in decode, tokens in the KV cache"),
    Axis("hidden", "int", "model width"),
    Axis("heads", "int", "query heads"),
    Axis("head_dim", "int", "head dimension [hidden / heads]"),
    Axis("ffn_hidden", "int", "feed-forward width [4 · hidden; gated about 2/3 of that]"),
    Axis("design", "choice", "step of the 2017–2024 ladder; sets the axes below", "2024", (*ladder.DESIGNS, CUSTOM)),
    Axis("norm_position", "choice", "pre-norm or post-norm [from design]", choices=CHOICES["norm_position"]),
    Axis("norm", "choice", "normalisation [from design]", choices=CHOICES["norm"]),
    Axis("activation", "choice", "feed-forward activation [from design]", choices=CHOICES["activation"]),
    Axis("kv_heads", "int", "key/value heads [from design: all heads, or a quarter]"),
    Axis(
        "position_encoding",
        "choice",
        "position encoding; rope rotates q and k in the block [from design]",
        choices=ENCODINGS,
    ),
    Axis("rope_base", "int", "RoPE base frequency", default=ROPE_BASE),
    Axis("bias", "choice", "which matrices have a bias", default="none", choices=CHOICES["bias"]),
    Axis("kernel", "choice", "attention implementation [from design]"),
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
    (problem,) = layers(block.attention_case())
    attend = attention.kernel(place, problem)
    block.takes_on(problem)
    return attend


BLOCK = Component(
    name="block",
    about="a whole layer: attention, feed-forward, norms, residuals; 2017 to 2024",
    axes=AXES,
    phases=("forward", "forward_backward", "decode"),
    variant_axis="kernel",
    complete=complete,
    problem=BlockProblem,
    work=formulas.work,
    peak=lambda block, variant: formulas.peak_bytes(block),
    resident=formulas.resident_bytes,
    build=build,
    own=own,
)
