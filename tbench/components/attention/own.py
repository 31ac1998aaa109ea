"""A function of the user's own as attention: called as SDPA is, with what it takes by name. No torch.

    attend(q, k, v, causal=…)    q (batch, heads, queries, head_dim), k and v (batch, kv_heads, keys, head_dim)

Returns q's shape. Query head h belongs to KV head h // (heads / kv_heads). In decode there is one query, which sees
every key, so `causal` is False. With `lengths: ragged` a function is given `lengths`, int32 (batch): how many keys of
each sequence count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tbench.components import own
from tbench.components.attention.problem import AttentionProblem
from tbench.components.calling import ANY, keywords_of, told
from tbench.components.registry import Kernel
from tbench.errors import KernelError, Unsupported
from tbench.model.pattern import Full, Window

TENSORS = ("q", "k", "v")
CAUSAL = ("causal", "is_causal")
SDPA = frozenset({"is_causal", "enable_gqa"})  # of a function that does not tell: SDPA itself is one


def kernel(place: str, problem: AttentionProblem) -> Kernel:
    """What the place names, for one layer. A factory is given the problem."""
    return own.kernel(place, problem, TENSORS, keywords)


def keywords(function: Callable[..., Any], problem: AttentionProblem) -> dict[str, Any]:
    """What a plain function is given beside q, k and v. Raises KernelError and Unsupported."""
    p = problem
    known = keywords_of(function)
    taken = SDPA if known is None else known
    given: dict[str, Any] = {}
    causal = next((name for name in CAUSAL if name in taken), "causal" if ANY in taken else None)
    if causal is not None:
        given[causal] = p.causal
    elif p.causal:
        raise KernelError(
            f"{told(function)} takes neither causal= nor is_causal=, and this case is causal; add one, or measure "
            "causal: false"
        )
    if "scale" in taken:
        given["scale"] = p.scale
    if "enable_gqa" in taken and p.group > 1:
        given["enable_gqa"] = True
    if p.lengths:
        if "lengths" not in taken:
            raise Unsupported(f"{told(function)} takes no lengths=; add it (an int32 tensor: keys of each sequence)")
        from tbench.components.attention.kernels.masks import key_counts

        given["lengths"] = p.hold(key_counts(p))
    if "window" in taken:
        given["window"] = p.pattern.window if isinstance(p.pattern, Window) else None
    refuse_pattern(function, p, windows="window" in taken)
    return given


def refuse_pattern(function: Callable[..., Any], problem: AttentionProblem, windows: bool) -> None:
    """Raises Unsupported for a pattern that a plain function cannot be told."""
    pattern = problem.pattern
    if isinstance(pattern, Full) or (isinstance(pattern, Window) and windows):
        return
    if isinstance(pattern, Window):
        raise Unsupported(f"{told(function)} takes no window=; add it (number of keys, None for all)")
    raise Unsupported(
        f"a plain function supports windows only, not {pattern.name}; use a factory, which receives the problem"
    )
