"""Kernels of other packages, offered where they are installed. All want (batch, length, heads, head_dim) on CUDA.

Each is checked against the oracle like any other variant, so a package whose conventions change is found wrong,
not timed.
"""

from __future__ import annotations

from typing import Any

from tbench.components.attention.component import ATTENTION
from tbench.components.attention.problem import AttentionProblem
from tbench.components.attention.variants import (
    HALF,
    each_layer,
    equal_lengths,
    full_or_window,
    pages_of,
    small_heads,
)
from tbench.components.attention.workspace import flash_tiles
from tbench.components.registry import Kernel, function


def causal_only(problem: AttentionProblem) -> str | None:
    return None if problem.causal else "supports causal attention only"


def causal_windows(problem: AttentionProblem) -> str | None:
    open_window = problem.pattern.reach is not None and not problem.causal
    return "supports windows only with causal attention" if open_window else None


def one_sequence(problem: AttentionProblem) -> str | None:
    return None if problem.batch == 1 else "takes one sequence at a time: batch 1"


def shared_without_backward(problem: AttentionProblem) -> str | None:
    return "has no backward for shared KV heads" if problem.backward and problem.group > 1 else None


BY_HEURISTIC = 0  # how FlashAttention 2, 3 and 4 write "as many splits as it takes"; 3 and 4 do not split by default
PAGE = 16  # keys of a page
PLAN_BYTES = 128 * 2**20  # flashinfer's own advice for its workspace
PACKAGE: dict[str, Any] = {
    "devices": ("cuda",),
    "dtypes": HALF,
    "layout": "bnhd",
    "limits": each_layer(full_or_window, small_heads(256)),
    "workspace": flash_tiles,
}


@ATTENTION.variant(
    "flash-attn-2", about="FlashAttention 2 (flash-attn package)", requires=(("flash_attn", "flash-attn"),), **PACKAGE
)
def flash_attn_2(problem: AttentionProblem) -> Kernel:
    if problem.decode:
        return with_cache(problem, "flash_attn")
    return windowed(problem, "flash_attn", "flash_attn_func")


@ATTENTION.variant(
    "flash-attn-3",
    about="FlashAttention 3, for Hopper",
    requires=(("flash_attn_interface", "flash-attn-3"),),
    **PACKAGE,
)
def flash_attn_3(problem: AttentionProblem) -> Kernel:
    if problem.decode:
        return with_cache(problem, "flash_attn_interface")
    return windowed(problem, "flash_attn_interface", "flash_attn_func")


@ATTENTION.variant(
    "flash-attn-4",
    about="FlashAttention 4, in the CuTe language",
    requires=(("flash_attn", "flash-attn-4"),),
    **PACKAGE | {"limits": each_layer(full_or_window, equal_lengths, small_heads(256))},
)
def flash_attn_4(problem: AttentionProblem) -> Kernel:
    splits = {"num_splits": BY_HEURISTIC} if problem.decode else {}
    return windowed(problem, "flash_attn.cute", "flash_attn_func", unlimited=None, **splits)


@ATTENTION.variant(
    "xformers",
    about="xFormers' memory-efficient attention: whichever of its kernels takes the case",
    requires=(("xformers", "xformers"),),
    **PACKAGE
    | {
        "dtypes": (*HALF, "float32"),
        "limits": each_layer(full_or_window, equal_lengths, shared_without_backward, small_heads(256)),
    },
)
def xformers(problem: AttentionProblem) -> Kernel:
    """Shared KV heads as its documentation asks for them: (batch, length, KV heads, group, head_dim), K and V expanded
    without a copy."""
    attention = function("xformers.ops", "memory_efficient_attention")
    left, right = problem.window_sides
    masks = "xformers.ops.fmha.attn_bias"
    bias = None
    if left >= 0:
        bias = function(masks, "LocalAttentionFromBottomRightMask")(window_left=left, window_right=right)
    elif right == 0:
        bias = function(masks, "LowerTriangularMask")()
    if problem.group == 1:
        return lambda q, k, v: attention(q, k, v, attn_bias=bias)

    def attend(q: Any, k: Any, v: Any) -> Any:
        shared = (x.unsqueeze(3).expand(-1, -1, -1, problem.group, -1) for x in (k, v))
        return attention(q.unflatten(2, (problem.kv_heads, problem.group)), *shared, attn_bias=bias).flatten(2, 3)

    return attend


@ATTENTION.variant(
    "fla",
    about="flash-linear-attention's parallel_attn, in Triton",
    requires=(("fla", "flash-linear-attention"), ("triton", "triton")),
    phases=("forward", "forward_backward"),
    **PACKAGE | {"limits": each_layer(full_or_window, causal_only, small_heads(256))},
)
def fla(problem: AttentionProblem) -> Kernel:
    parallel_attn = function("fla.ops.attn.parallel", "parallel_attn")
    left, _ = problem.window_sides
    window = None if left < 0 else left + 1  # here W keeps W keys

    def attend(q: Any, k: Any, v: Any) -> Any:
        return first(parallel_attn(q, k, v, window_size=window))

    return attend


@ATTENTION.variant(
    "flashinfer",
    about="flashinfer's single-sequence kernels for inference",
    requires=(("flashinfer", "flashinfer-python"),),
    phases=("forward", "decode"),
    **PACKAGE | {"limits": each_layer(full_or_window, causal_windows, one_sequence, small_heads(256))},
)
def flashinfer(problem: AttentionProblem) -> Kernel:
    if problem.decode:
        step = function("flashinfer", "single_decode_with_kv_cache")
        shared = problem.group > 1  # without tensor cores, only some sizes of groups are compiled
        return lambda q, k, v: step(q[0, 0], k[0], v[0], use_tensor_cores=shared)[None, None]
    left, _ = problem.window_sides
    prefill = function("flashinfer", "single_prefill_with_kv_cache")
    return lambda q, k, v: prefill(q[0], k[0], v[0], causal=problem.causal, window_left=left)[None]


@ATTENTION.variant(
    "flashinfer-paged",
    about="flashinfer's batch decode on a paged KV cache",
    requires=(("flashinfer", "flashinfer-python"),),
    phases=("decode",),
    **PACKAGE | {"limits": each_layer(full_or_window, pages_of(PAGE), small_heads(256))},
)
def flashinfer_paged(problem: AttentionProblem) -> Kernel:
    """Planned once, as a server does for the layers of a step; what is timed is `run`."""
    import torch

    from tbench.components.attention.kernels.masks import key_counts

    p = problem
    workspace = p.hold(torch.empty(PLAN_BYTES, dtype=torch.uint8, device=p.device))
    wrapper = function("flashinfer", "BatchDecodeWithPagedKVCacheWrapper")(workspace, use_tensor_cores=p.group > 1)
    room, keys, dtype = p.keys // PAGE, key_counts(p), getattr(torch, p.dtype)  # pages that each sequence has room for
    pages = (keys + PAGE - 1) // PAGE
    numbers = torch.arange(room, dtype=torch.int32, device=p.device)
    wrapper.plan(
        torch.nn.functional.pad(pages.cumsum(0, dtype=torch.int32), (1, 0)),
        torch.cat([sequence * room + numbers[:count] for sequence, count in enumerate(pages.tolist())]),
        keys - (pages - 1) * PAGE,  # of the last page
        p.heads,
        p.kv_heads,
        p.head_dim,
        PAGE,
        q_data_type=dtype,
        kv_data_type=dtype,
    )

    def attend(q: Any, k: Any, v: Any) -> Any:
        return wrapper.run(q[:, 0], tuple(x.view(-1, PAGE, *x.shape[2:]) for x in (k, v)))[:, None]

    return attend


def windowed(problem: AttentionProblem, module: str, name: str, unlimited: int | None = -1, **more: Any) -> Kernel:
    """The call all FlashAttention packages share; `unlimited` is how they write "no window"."""
    attention = function(module, name)
    sides = tuple(unlimited if side < 0 else side for side in problem.window_sides)

    def attend(q: Any, k: Any, v: Any) -> Any:
        return first(attention(q, k, v, causal=problem.causal, window_size=sides, **more))

    return attend


def with_cache(problem: AttentionProblem, module: str) -> Kernel:
    """A decode step as FlashAttention's own: keys are divided among blocks where there are few heads."""
    attention = function(module, "flash_attn_with_kvcache")
    told: dict[str, Any] = {"num_splits": BY_HEURISTIC}
    if problem.lengths:
        from tbench.components.attention.kernels.masks import key_counts

        told["cache_seqlens"] = problem.hold(key_counts(problem))
    return lambda q, k, v: first(attention(q, k, v, **told))


def first(result: Any) -> Any:
    """Some versions return (out, log-sum-exp)."""
    return result[0] if isinstance(result, tuple) else result
