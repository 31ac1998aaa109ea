"""The block as a component: its axes, and the door to its formulas and its workload. No torch."""

from __future__ import annotations

from typing import Any

from tbench.components.attention import own as attention
from tbench.components.attention.problem import layers
from tbench.components.block import formulas
from tbench.components.block.design import GATED, Design
from tbench.components.block.ladder import CUSTOM, DESIGNS, name_of
from tbench.components.feedforward.formulas import matched_width
from tbench.components.registry import Axis, Component, Impossible, Kernel, Variant
from tbench.records import Value

NORMS, ACTIVATIONS = ("layernorm", "rmsnorm"), ("relu", "swiglu")
AXES = (
    Axis("batch", "int", "sequences side by side", default=1),
    Axis("seq_len", "int", "tokens of a sequence; in decode, tokens in the KV cache"),
    Axis("hidden", "int", "width of the model"),
    Axis("heads", "int", "query heads"),
    Axis("head_dim", "int", "size of a head [hidden / heads]"),
    Axis("inner", "int", "width inside an ungated feed-forward layer; a gated one has about 2/3 of it [4 · hidden]"),
    Axis("design", "choice", "a step of the ladder, which sets the axes below", "2024", (*DESIGNS, CUSTOM)),
    Axis("placement", "choice", "where the norm stands [as the design]", choices=("post", "pre")),
    Axis("norm", "choice", "what is divided by what [as the design]", choices=NORMS),
    Axis("activation", "choice", "inside the feed-forward layer [as the design]", choices=ACTIVATIONS),
    Axis("kv_heads", "int", "key and value heads [as the design: all heads, or a quarter of them]"),
    Axis("position", "choice", "how positions are told [as the design]", choices=("sinusoidal", "rope")),
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
    values.setdefault("inner", 4 * hidden)
    switches = dict(DESIGNS.get(values["design"], DESIGNS["2024"]))
    shared = switches.pop("shared")
    kv_heads = values.setdefault("kv_heads", max(1, heads // 4) if shared else heads)
    for name, value in switches.items():
        values.setdefault(name, value)
    values["design"] = name_of({"shared": kv_heads < heads} | {name: values[name] for name in switches})
    if heads % kv_heads:
        raise Impossible(
            "kv_heads", f"{kv_heads} KV heads cannot be shared evenly by {heads} heads; write a divisor of {heads}"
        )
    if values["activation"] in GATED and matched_width(values["inner"]) is None:
        raise Impossible("inner", f"no gated layer matches one of width {values['inner']}; write a larger one")
    if values["position"] == "rope" and head_dim % 2:
        raise Impossible("head_dim", f"rope turns pairs of numbers, and head_dim is {head_dim}; write an even one")
    return values


def build(design: Design, variant: Variant, seed: int, sets: int, apart: bool) -> Any:
    from tbench.components.block.workload import BlockWorkload

    return BlockWorkload(design, variant, seed, sets, apart)


def own(place: str, design: Design) -> Kernel:
    """The user's own attention inside; a factory is given attention's problem."""
    return attention.kernel(place, layers(design.attention_case())[0])


BLOCK = Component(
    name="block",
    about="a whole layer: attention, feed-forward, norms, residuals; from 2017's to 2024's",
    axes=AXES,
    phases=("forward", "forward_backward", "decode"),
    variant_axis="kernel",
    complete=complete,
    problem=Design.of,
    work=formulas.work,
    peak=lambda design, variant: formulas.peak_bytes(design),
    build=build,
    own=own,
)
