"""What a block must compute and move at least, and about what it holds at the peak. No torch.

A matrix of P parameters costs 2·P FLOPs a token forward and twice that backward; attention as its own component counts
it. Norms, activation, rotation and residuals are a few operations a number and left out.
"""

from __future__ import annotations

from tbench.components.attention import formulas as attention
from tbench.components.attention.component import ATTENTION
from tbench.components.attention.problem import layers
from tbench.components.block.design import Design
from tbench.records import Work


def work(design: Design) -> Work:
    inside = design.attention_case()
    tokens = design.batch * design.queries
    products = (6 if design.backward else 2) * design.matrix_parameters * tokens
    problem = layers(inside)[0]
    cache = attention.cache_bytes(problem) if design.decode else None
    passes = 3 if design.backward else 1  # weights are read twice and their gradients written once
    streams = 4 if design.backward else 2  # x and the result, and the gradients of both
    moved = design.itemsize * (passes * design.parameters + streams * tokens * design.hidden) + (cache or 0)
    return Work(float(products) + attention.layer_flops(problem), float(moved), cache)


def resident_bytes(design: Design) -> int:
    """Weights, x, with a backward pass the gradient of the result, in decode the KV cache."""
    tokens = design.batch * design.queries
    streams = 2 if design.backward else 1
    cache = attention.cache_bytes(layers(design.attention_case())[0]) if design.decode else 0
    return design.itemsize * (design.parameters + streams * tokens * design.hidden) + cache


def peak_bytes(design: Design) -> int:
    """Roughly: forward, the larger of attention's and the feed-forward layer's moment; backward, what is kept."""
    tokens, e = design.batch * design.queries, design.itemsize
    problem = layers(design.attention_case())[0]
    variant = ATTENTION.variants.get(design.kernel)  # None: the user's own, of which nothing is known
    scores = variant.workspace(problem) if variant and variant.workspace else 0
    streams = e * tokens * design.hidden
    heads = e * tokens * design.head_dim * (2 * design.heads + 2 * design.kv_heads)
    inner = e * tokens * design.width * (3 if design.gated else 2)
    if design.backward:
        return resident_bytes(design) + e * design.parameters + 5 * streams + heads + inner + scores
    return resident_bytes(design) + 3 * streams + max(heads + scores, inner)
