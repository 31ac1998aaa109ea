"""Keys and values as a quantity: how many matrices, how many bytes a token, how much of a model's memory. No torch.

Nothing is timed or allocated here: the shapes are those of the block that is timed (`tbench.model.config`), so
a model of any size can be counted. A test holds them against the parameters of released models, to the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tbench.components.kv.counting import SCHEMA, cache
from tbench.components.registry import Axis, Component, Impossible
from tbench.model.config import CHOICES, uneven
from tbench.records import Case, Value

AXES = (
    Axis("batch", "int", "batch size", default=1),
    Axis("seq_len", "int", "tokens in the KV cache"),
    Axis("layers", "int", "layers of the model", default=1),
    Axis("hidden", "int", "model width"),
    Axis("heads", "int", "query heads"),
    Axis("kv_heads", "int", "key/value heads: heads is MHA, 1 is MQA, in between is GQA"),
    Axis("head_dim", "int", "head dimension"),
    Axis("ffn_hidden", "int", "feed-forward width", default=None),
    Axis("activation", "choice", "activation; gated ones have a third matrix", "swiglu", CHOICES["activation"]),
    Axis("norm", "choice", "normalisation", "rmsnorm", CHOICES["norm"]),
    Axis("bias", "choice", "which matrices have a bias", "none", CHOICES["bias"]),
    Axis(
        "position_encoding",
        "choice",
        "position encoding; a learned one is a table",
        "rope",
        CHOICES["position_encoding"],
    ),
    Axis("max_positions", "int", "rows of a learned position table", default=1),
    Axis("tied_embeddings", "bool", "output and embedding share one matrix", default=False),
    Axis("cache", "cache", "what the KV cache keeps: full, or rolling:N", "full", parse=cache, schema=SCHEMA),
    Axis("vocab", "int", "vocabulary size"),
    Axis("method", "choice", "how figures are obtained", default="counted"),
)


def complete(values: dict[str, Any]) -> dict[str, Value]:
    """kv_heads is heads where it is not given (MHA), ffn_hidden four times hidden. Raises Impossible and KeyError."""
    heads, hidden = values["heads"], values["hidden"]
    kv_heads = values.setdefault("kv_heads", heads)
    values.setdefault("ffn_hidden", 4 * hidden)
    if heads % kv_heads:
        raise Impossible("kv_heads", uneven(heads, kv_heads))
    return values


KV = Component(
    name="kv",
    about="key and value matrices and the KV cache, counted",
    axes=AXES,
    phases=("decode",),
    variant_axis="method",
    complete=complete,
    peak=lambda case, variant: 2**20,  # shapes only
    experiment=True,
)


@KV.variant("counted", about="counts parameters and cache bytes from shapes")
def counted(case: Case, seed: int) -> Mapping[str, Any]:
    from tbench.components.kv.counting import count

    return count(case)
