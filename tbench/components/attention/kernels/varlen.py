"""FlashAttention on packed sequences (`torch.nn.attention.varlen`), whose windows are skipped, not masked."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from tbench.components.attention.kernels.masks import key_counts
from tbench.components.attention.problem import AttentionProblem
from tbench.components.registry import Kernel
from tbench.errors import Unsupported


def varlen(problem: AttentionProblem) -> Kernel:
    """Every sequence of the batch as one of a pack, each with room for the longest. q, k, v: (batch, length, heads,
    head_dim)."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        raise Unsupported(f"needs torch.nn.attention.varlen, which PyTorch {torch.__version__} does not have") from None
    known = inspect.signature(varlen_attn).parameters
    p = problem
    options: dict[str, Any] = {}
    if "window_size" in known:
        options["window_size"] = p.window_sides
    elif p.pattern.reach is None:
        options["is_causal"] = p.causal
    else:
        raise Unsupported(f"varlen_attn of PyTorch {torch.__version__} has no window_size")
    if p.group > 1:
        if "enable_gqa" not in known:
            raise Unsupported(f"varlen_attn of PyTorch {torch.__version__} has no enable_gqa")
        options["enable_gqa"] = True
    if p.lengths:
        if "seqused_k" not in known:
            raise Unsupported(f"varlen_attn of PyTorch {torch.__version__} has no seqused_k")
        options["seqused_k"] = p.hold(key_counts(p))

    def starts(length: int) -> Tensor:
        first = torch.arange(p.batch + 1, dtype=torch.int32, device=p.device) * length
        p.hold(first)
        return first

    q_starts, k_starts = starts(p.queries), starts(p.keys)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        packed: Any = varlen_attn(
            q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), q_starts, k_starts, p.queries, p.keys, **options
        )
        out: Tensor = packed.view(p.batch, p.queries, p.heads, p.head_dim)
        return out

    return attend


PAGE = 256  # keys; FlashAttention 2, which this is, takes multiples of it


def paged(problem: AttentionProblem) -> Kernel:
    """A decode step on a KV cache in pages, found through a block table, by `varlen_attn` of PyTorch 2.13 and later.

    q, k, v: (batch, length, heads, head_dim); the cache's pages are its own memory, in order.
    """
    from torch.nn.attention.varlen import varlen_attn

    if "block_table" not in inspect.signature(varlen_attn).parameters:
        raise Unsupported(f"varlen_attn of PyTorch {torch.__version__} has no block_table")
    p, pages = problem, problem.keys // PAGE
    whole: dict[str, Any] = {"dtype": torch.int32, "device": p.device}
    starts = p.hold(torch.arange(p.batch + 1, **whole))
    k_starts = p.hold(starts * p.keys)
    table = p.hold(torch.arange(p.batch * pages, **whole).view(p.batch, pages))
    lengths = p.hold(key_counts(p))

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        k_pages, v_pages = (x.view(p.batch * pages, PAGE, p.kv_heads, p.head_dim) for x in (k, v))
        out: Any = varlen_attn(
            q.flatten(0, 1), k_pages, v_pages, starts, k_starts, 1, p.keys,
            enable_gqa=p.group > 1, seqused_k=lengths, block_table=table,
        )  # fmt: skip
        found: Tensor = out.view(p.batch, 1, p.heads, p.head_dim)
        return found

    return attend
