"""The ways to compute the attention inside a block; everything else is eager PyTorch."""

from __future__ import annotations

from tbench.components.attention.component import ATTENTION
from tbench.components.attention.problem import layers
from tbench.components.block.component import BLOCK
from tbench.components.block.problem import BlockProblem
from tbench.components.registry import Kernel
from tbench.records import Case


def as_attention(case: Case) -> str | None:
    """A block can run where the attention inside can."""
    return ATTENTION.unsupported(BlockProblem(case).attention_case())


@BLOCK.variant("naive", about="unfused attention, all scores in memory", limits=as_attention)
def naive(block: BlockProblem) -> Kernel:
    return attention(block)


@BLOCK.variant("flash", about="FlashAttention", limits=as_attention)
def flash(block: BlockProblem) -> Kernel:
    return attention(block)


def attention(block: BlockProblem) -> Kernel:
    """`attend(q, k, v)` of the attention component for the case's kernel."""
    inside = block.attention_case()
    (problem,) = layers(inside)
    attend: Kernel = ATTENTION.variant_of(inside).factory(problem)
    block.takes_on(problem)
    return attend
