"""What is counted of a decoder: the parameters of its shapes, and the bytes of its cache. No torch."""

from __future__ import annotations

import re
from math import prod
from typing import Any

from tbench.components.problem import BYTES
from tbench.model.config import ModelConfig
from tbench.records import Case

SIZES = ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn_hidden", "vocab", "max_positions")
SWITCHES = ("norm", "activation", "bias", "position_encoding")
SCHEMA = {"type": "string", "pattern": r"^(full|rolling:[1-9]\d{0,8})$", "examples": ["full", "rolling:4096"]}


def config_of(case: Case) -> ModelConfig:
    sizes: dict[str, Any] = {size: case.integer(size) for size in SIZES}
    switches: dict[str, Any] = {switch: str(case[switch]) for switch in SWITCHES}
    return ModelConfig(**sizes, **switches, tied_embeddings=bool(case["tied_embeddings"]))


def count(case: Case) -> dict[str, int | float]:
    """What sharing KV heads changes.

    `matrices`: per-head projection matrices of one layer (W_O, which sharing does not touch, is left out).
    `kv_cache_bytes_per_token`, `kv_cache_bytes` (at `seq_len`, or what a rolling cache keeps of it; all layers, whole
    batch). `parameters` of the whole model, norms and biases included, `weight_bytes` of them, and `inference_bytes`:
    weights and cache together. `cache_share`: the cache's part of those.
    """
    config, itemsize = config_of(case), BYTES[case.dtype]
    shapes = config.block_shapes()
    learned = sum(prod(shapes[name]) for name in ("wq", "wk", "wv"))
    tokens = min(case.integer("seq_len"), kept(str(case["cache"])) or case.integer("seq_len"))
    token = 2 * config.layers * config.kv_heads * config.head_dim * itemsize
    cache = case.integer("batch") * tokens * token
    weights = config.parameters * itemsize
    return {
        "matrices": learned // (config.hidden * config.head_dim),
        "kv_cache_bytes_per_token": token,
        "kv_cache_bytes": cache,
        "parameters": config.parameters,
        "weight_bytes": weights,
        "inference_bytes": weights + cache,
        "cache_share": cache / (weights + cache),
    }


def cache(value: Any) -> str:
    """`full`, or `rolling:4096` for a cache that keeps the last 4096 tokens. Raises ValueError."""
    if isinstance(value, str) and (value == "full" or kept(value)):
        return value
    raise ValueError(f"{value!r} is not a cache; write full, or rolling:4096 to keep the last 4096 tokens")


def kept(text: str) -> int | None:
    """Tokens that a cache keeps at most; None where it keeps all."""
    found = re.fullmatch(r"rolling:([1-9]\d{0,8})", text)
    return int(found[1]) if found else None
