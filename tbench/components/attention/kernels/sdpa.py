"""`torch.nn.functional.scaled_dot_product_attention` with one of its backends forced."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention as sdpa

from tbench.components.attention.kernels.folding import fold, spread, unfold
from tbench.components.attention.kernels.masks import dense_mask
from tbench.components.attention.problem import AttentionProblem
from tbench.components.registry import Kernel
from tbench.errors import Unsupported

NATIVE_GQA = ("FLASH_ATTENTION", "CUDNN_ATTENTION", "MATH")  # on CUDA; on a CPU it brings nothing over views


def backend(problem: AttentionProblem, name: str) -> Kernel:
    """SDPA that can use this backend only: it runs that one or raises, so what ran is proved.

    Raises Unsupported with PyTorch's own reason where the backend does not take these inputs.
    """
    problem.enter(sdpa_kernel([getattr(SDPBackend, name)]))
    attend = unmasked(problem, native_gqa=name == "MATH" or (problem.device != "cpu" and name in NATIVE_GQA))
    prove(problem, name)
    return attend


def activated(problem: AttentionProblem, name: str) -> Kernel:
    """SDPA's FlashAttention with another generation of it in place of PyTorch's own, from the package that has it."""
    from torch.nn import attention

    try:
        activate, undo = attention.activate_flash_attention_impl, attention.restore_flash_attention_impl
    except AttributeError:
        raise Unsupported(f"PyTorch {torch.__version__} has no activate_flash_attention_impl") from None
    try:
        activate(name)
    except (ValueError, RuntimeError, ImportError) as refused:
        raise Unsupported(f"{name} cannot be activated: {refused}") from None
    problem.contexts.callback(undo)
    return backend(problem, "FLASH_ATTENTION")


def unmasked(problem: AttentionProblem, native_gqa: bool) -> Kernel:
    """Full attention, causal or not, with KV heads shared by the backend or through views."""
    p = problem

    def plainly(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return sdpa(q, k, v, is_causal=p.causal)

    def natively(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return sdpa(q, k, v, is_causal=p.causal, enable_gqa=True)

    def folded(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return unfold(p, sdpa(fold(p, q), k, v))

    def spread_out(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return unfold(p, sdpa(*spread(p, q, k, v), is_causal=p.causal))

    if p.group == 1:
        return plainly
    if native_gqa:
        return natively
    return folded if p.dense else spread_out


def masked(problem: AttentionProblem) -> Kernel:
    """Full attention with the pattern as a dense boolean mask: everything is computed, then much of it hidden."""
    p = problem
    mask = dense_mask(p)
    if p.lengths and p.group > 1:
        mask = mask.repeat_interleave(p.kv_heads, dim=0)  # every KV head is a batch of its own, see `spread`
    p.hold(mask)

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return sdpa(q, k, v, attn_mask=mask)

    def attend_shared(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return unfold(p, sdpa(*spread(p, q, k, v), attn_mask=mask))

    return attend if p.group == 1 else attend_shared


def prove(problem: AttentionProblem, name: str) -> None:
    """Run the forced backend once on few short sequences, to hear its refusal before anything large is made.

    Lengths below 32 are tried as they are: cuDNN does not take a single key.
    """
    p = problem
    make: dict[str, Any] = {"device": p.device, "dtype": getattr(torch, p.dtype), "requires_grad": p.backward}
    q = torch.zeros(1, p.group, min(32, p.queries), p.head_dim, **make)
    k = torch.zeros(1, p.group, min(32, p.keys), p.head_dim, **make)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            sdpa(q, k, k, is_causal=p.causal)
        except RuntimeError as error:
            reasons = [str(warning.message).split(" (Triggered")[0] for warning in said]
            raise Unsupported(f"{name.lower()}: {'; '.join(reasons[:3]) or error}") from None
