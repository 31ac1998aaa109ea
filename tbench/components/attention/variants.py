"""Every way to compute attention that comes with tbench. To add one, add an entry here (or in `adapters`).

An entry says what it is, where it runs and what it holds; what follows is imported when it is set up.
"""

from __future__ import annotations

from collections.abc import Callable

from tbench.components.attention.component import ATTENTION
from tbench.components.attention.problem import AttentionProblem, layers
from tbench.components.attention.workspace import (
    chunks,
    dense_mask,
    flash_scratch,
    flash_tiles,
    flex_tiles,
    repeated_scores,
    split_results,
    whole_scores,
)
from tbench.components.problem import COMPILER
from tbench.components.registry import Kernel
from tbench.model.pattern import Full
from tbench.records import Case

HALF = ("bfloat16", "float16")


def each_layer(*rules: Callable[[AttentionProblem], str | None]) -> Callable[[Case], str | None]:
    """Limits of a variant from rules about one layer: the first reason of any layer."""

    def limits(case: Case) -> str | None:
        reasons = (rule(problem) for problem in layers(case) for rule in rules)
        return next((reason for reason in reasons if reason), None)

    return limits


def full_only(problem: AttentionProblem) -> str | None:
    return (
        None
        if isinstance(problem.pattern, Full)
        else f"computes every pair; does not support pattern {problem.pattern.name}"
    )


def window_only(problem: AttentionProblem) -> str | None:
    return (
        None
        if problem.pattern.reach is not None
        else f"supports windows only; {problem.pattern.name} has no maximum distance"
    )


def full_or_window(problem: AttentionProblem) -> str | None:
    known = isinstance(problem.pattern, Full) or problem.pattern.reach is not None
    return None if known else f"supports windows, not {problem.pattern.name}"


def equal_lengths(problem: AttentionProblem) -> str | None:
    return "reads every cache of a batch to its end; does not support ragged lengths" if problem.lengths else None


def half_on_cuda(problem: AttentionProblem) -> str | None:
    if problem.device == "cpu" or problem.dtype in HALF:
        return None
    return f"takes {' or '.join(HALF)} on CUDA, not {problem.dtype}"


def small_heads(largest: int) -> Callable[[AttentionProblem], str | None]:
    def rule(problem: AttentionProblem) -> str | None:
        fits = problem.device == "cpu" or problem.head_dim <= largest
        return None if fits else f"takes head_dim up to {largest} on CUDA, not {problem.head_dim}"

    return rule


def pages_of(keys: int) -> Callable[[AttentionProblem], str | None]:
    def rule(problem: AttentionProblem) -> str | None:
        return f"takes whole pages of {keys} keys, not {problem.keys}" if problem.keys % keys else None

    return rule


def forward_on_cpu(problem: AttentionProblem) -> str | None:
    return "has no backward on a CPU" if problem.backward and problem.device == "cpu" else None


@ATTENTION.variant(
    "naive",
    about="unfused: all scores in memory",
    workspace=whole_scores,
)
def naive(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import textbook

    return textbook.naive(problem)


@ATTENTION.variant(
    "naive-compiled",
    about="naive through torch.compile",
    workspace=whole_scores,
    preload=COMPILER,
)
def naive_compiled(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import textbook

    return textbook.naive_compiled(problem)


@ATTENTION.variant(
    "math",
    about="SDPA's unfused fallback; broadcasts shared K and V heads, computes half precision in float32",
    limits=each_layer(full_only, equal_lengths),
    workspace=repeated_scores,
)
def math(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import sdpa

    return sdpa.backend(problem, "MATH")


@ATTENTION.variant(
    "flash",
    about="SDPA's FlashAttention: tiled softmax, scores never in memory",
    limits=each_layer(full_only, equal_lengths, half_on_cuda, small_heads(256)),
    workspace=flash_scratch,
)
def flash(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import sdpa

    return sdpa.backend(problem, "FLASH_ATTENTION")


@ATTENTION.variant(
    "efficient",
    about="SDPA's memory-efficient attention (from xFormers)",
    devices=("cuda",),
    limits=each_layer(full_only, equal_lengths),
    workspace=flash_tiles,
)
def efficient(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import sdpa

    return sdpa.backend(problem, "EFFICIENT_ATTENTION")


@ATTENTION.variant(
    "cudnn",
    about="SDPA's cuDNN attention",
    devices=("cuda",),
    dtypes=HALF,
    limits=each_layer(full_only, equal_lengths, small_heads(256)),
    workspace=flash_tiles,
)
def cudnn(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import sdpa

    return sdpa.backend(problem, "CUDNN_ATTENTION")


@ATTENTION.variant(
    "flex",
    about="FlexAttention: the pattern compiled into the kernel, empty blocks skipped",
    limits=each_layer(forward_on_cpu, equal_lengths),
    workspace=flex_tiles,
    preload=COMPILER,
)
def flex(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import flex as kernels

    return kernels.flex(problem)


@ATTENTION.variant(
    "chunked",
    about="windows as gathered chunks through SDPA; backward on every device",
    phases=("forward", "forward_backward"),  # a decode step with a window has a rolling cache and sees all of it
    limits=each_layer(window_only),
    workspace=chunks,
)
def chunked(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import chunked as kernels

    return kernels.chunked(problem)


@ATTENTION.variant(
    "masked",
    about="dense mask over full attention: computes every pair, so no sparsity speed-up",
    workspace=dense_mask,
)
def masked(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import sdpa

    return sdpa.masked(problem)


@ATTENTION.variant(
    "varlen",
    about="PyTorch's packed FlashAttention, with windows",
    devices=("cuda",),
    dtypes=HALF,
    layout="bnhd",
    limits=each_layer(full_or_window, small_heads(256)),
    workspace=flash_tiles,
)
def varlen(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import varlen as kernels

    return kernels.varlen(problem)


@ATTENTION.variant(
    "varlen-paged",
    about="PyTorch's packed FlashAttention on a paged KV cache",
    devices=("cuda",),
    phases=("decode",),
    dtypes=HALF,
    layout="bnhd",
    limits=each_layer(full_or_window, pages_of(256), small_heads(256)),
    workspace=split_results,
)
def varlen_paged(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import varlen as kernels

    return kernels.paged(problem)


@ATTENTION.variant(
    "flash-fa3",
    about="SDPA's FlashAttention, activated as FlashAttention 3",
    devices=("cuda",),
    dtypes=HALF,
    requires=(("flash_attn_interface", "flash-attn-3"),),
    limits=each_layer(full_only, equal_lengths, small_heads(256)),
    workspace=flash_scratch,
)
def flash_fa3(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import sdpa

    return sdpa.activated(problem, "FA3")


@ATTENTION.variant(
    "flash-fa4",
    about="SDPA's FlashAttention, activated as FlashAttention 4",
    devices=("cuda",),
    dtypes=HALF,
    requires=(("flash_attn", "flash-attn-4"),),
    limits=each_layer(full_only, equal_lengths, small_heads(256)),
    workspace=flash_scratch,
)
def flash_fa4(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import sdpa

    return sdpa.activated(problem, "FA4")


@ATTENTION.variant(
    "flex-flash",
    about="FlexAttention on FlashAttention 4",
    devices=("cuda",),
    dtypes=HALF,
    requires=(("flash_attn", "flash-attn-4"),),
    limits=each_layer(equal_lengths),
    workspace=flex_tiles,
    preload=COMPILER,
)
def flex_flash(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import flex as kernels

    return kernels.flex(problem, "FLASH")


@ATTENTION.variant(
    "flex-decode",
    about="FlexAttention's split-KV kernel for one query",
    devices=("cuda",),
    phases=("decode",),
    limits=each_layer(equal_lengths),
    workspace=split_results,
    preload=COMPILER,
)
def flex_decode(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.kernels import flex as kernels

    return kernels.flex(problem, "TRITON_DECODE")


@ATTENTION.variant("auto", about="the best of the above that can run; reports which")
def auto(problem: AttentionProblem) -> Kernel:
    from tbench.components.attention.auto import choose

    return choose(problem)
