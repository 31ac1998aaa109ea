"""The modules of a decoder, as far as their sizes matter, and what is counted on them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tbench.components.kv.caching import kept
from tbench.records import Case


def projections(hidden: int, heads: int, kv_heads: int, head_dim: int, **where: Any) -> nn.ModuleDict:
    """The attention of one layer: queries for every head, keys and values for every KV head, and the way out."""
    return nn.ModuleDict(
        {
            "query": nn.Linear(hidden, heads * head_dim, bias=False, **where),
            "key": nn.Linear(hidden, kv_heads * head_dim, bias=False, **where),
            "value": nn.Linear(hidden, kv_heads * head_dim, bias=False, **where),
            "out": nn.Linear(heads * head_dim, hidden, bias=False, **where),
        }
    )


def decoder(case: Case, **where: Any) -> nn.ModuleDict:
    """Embedding, layers and output matrix. Norms and biases, thousandths of the whole, are left out."""
    hidden, ffn, vocab = case.integer("hidden"), case.integer("ffn_hidden"), case.integer("vocab")
    layer = [
        nn.ModuleDict(
            {
                "attention": projections(
                    hidden, case.integer("heads"), case.integer("kv_heads"), case.integer("head_dim"), **where
                ),
                "feedforward": nn.ModuleList(
                    nn.Linear(hidden, ffn, bias=False, **where) for _ in range(case.integer("ffn_matrices"))
                ),
            }
        )
        for _ in range(case.integer("layers"))
    ]
    return nn.ModuleDict(
        {
            "embedding": nn.Embedding(vocab, hidden, **where),
            "layers": nn.ModuleList(layer),
            "output": nn.Linear(hidden, vocab, bias=False, **where),
        }
    )


def count(case: Case) -> dict[str, int | float]:
    """What sharing KV heads changes.

    `matrices`: per-head projection matrices of one layer (W_O, which sharing does not touch, is left out).
    `kv_cache_bytes_per_token`, `kv_cache_bytes` (at `seq_len`, or what a rolling cache keeps of it; all layers, whole
    batch). `weight_bytes`, and
    `inference_bytes`: weights and cache together. `cache_share`: the cache's part of those.
    """
    where = {"device": "meta", "dtype": getattr(torch, case.dtype)}
    batch, layers = case.integer("batch"), case.integer("layers")
    tokens = min(case.integer("seq_len"), kept(str(case["cache"])) or case.integer("seq_len"))
    kv_heads, head_dim = case.integer("kv_heads"), case.integer("head_dim")
    attention = projections(case.integer("hidden"), case.integer("heads"), kv_heads, head_dim, **where)
    learned = sum(parameters(attention[name]) for name in ("query", "key", "value"))
    token = torch.empty(2, layers, 1, kv_heads, 1, head_dim, **where)
    cache = torch.empty(2, layers, batch, kv_heads, tokens, head_dim, **where)
    weights = parameters(decoder(case, **where)) * token.itemsize
    return {
        "matrices": learned // (case.integer("hidden") * head_dim),
        "kv_cache_bytes_per_token": token.nbytes,
        "kv_cache_bytes": cache.nbytes,
        "weight_bytes": weights,
        "inference_bytes": weights + cache.nbytes,
        "cache_share": cache.nbytes / (weights + cache.nbytes),
    }


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
