"""What a block must compute and move at least, and about what it holds at the peak. No torch.

A matrix of P parameters costs 2·P FLOPs a token forward and twice that backward; attention as its own component counts
it. Norms, activation, rotation and residuals are a few operations a number and left out.
"""

from __future__ import annotations

from tbench.components.attention import formulas as attention
from tbench.components.attention.component import ATTENTION
from tbench.components.attention.problem import layers
from tbench.components.block.problem import BlockProblem
from tbench.records import Work


def work(block: BlockProblem) -> Work:
    inside = block.attention_case()
    tokens = block.batch * block.queries
    products = (6 if block.backward else 2) * block.config.matrix_parameters * tokens
    problem = layers(inside)[0]
    cache = attention.cache_bytes(problem) if block.decode else None
    passes = 3 if block.backward else 1  # weights are read twice and their gradients written once
    streams = 4 if block.backward else 2  # x and the result, and the gradients of both
    numbers = passes * block.config.block_parameters + streams * tokens * block.config.hidden
    moved = block.itemsize * numbers + (cache or 0)
    return Work(float(products) + attention.layer_flops(problem), float(moved), cache)


def resident_bytes(block: BlockProblem) -> int:
    """Weights, x, with a backward pass the gradient of the result, in decode the KV cache."""
    tokens = block.batch * block.queries
    streams = 2 if block.backward else 1
    cache = attention.cache_bytes(layers(block.attention_case())[0]) if block.decode else 0
    return block.itemsize * (block.config.block_parameters + streams * tokens * block.config.hidden) + cache


def peak_bytes(block: BlockProblem) -> int:
    """Roughly: forward, the larger of attention's and the feed-forward layer's moment; backward, what is kept."""
    tokens, e = block.batch * block.queries, block.itemsize
    problem = layers(block.attention_case())[0]
    variant = ATTENTION.variants.get(str(block.case["kernel"]))  # None: the user's own, of which nothing is known
    scores = variant.workspace(problem) if variant and variant.workspace else 0
    streams = e * tokens * block.config.hidden
    heads = e * tokens * block.config.head_dim * (2 * block.config.heads + 2 * block.config.kv_heads)
    inner = e * tokens * block.config.ffn_hidden * (3 if block.config.gated else 2)
    if block.backward:
        return resident_bytes(block) + e * block.config.block_parameters + 5 * streams + heads + inner + scores
    return resident_bytes(block) + 3 * streams + max(heads + scores, inner)
