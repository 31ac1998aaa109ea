"""Kernels of other packages, with fakes in their place that compute the packages' conventions in plain PyTorch.

What is tested is how they are called: layout, windows, causality, results, and that every argument has the name and,
where it is not given, the default of the published sources (`tests/contracts`). That the packages keep their
conventions is checked by the oracle wherever they run.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from tbench.components.attention import ATTENTION
from tbench.errors import Unsupported
from tests.components.cases import attention, built
from tests.contracts import signature

Recorded = list[dict[str, Any]]
SIZES: dict[str, Any] = {"batch": 2, "seq_len": 50, "heads": 4, "head_dim": 16, "kv_heads": 2}


def bnhd(q: Tensor, k: Tensor, v: Tensor, left: int, right: int) -> Tensor:
    """Attention as FlashAttention defines it: (batch, length, heads, head_dim), the last query at the last key, `left`
    keys before and `right` after each query's own; -1 is no limit. KV head h // group serves query head h."""
    group = q.shape[2] // k.shape[2]
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    k, v = (x.repeat_interleave(group, dim=1) for x in (k, v))
    at = torch.arange(q.shape[2])[:, None] + k.shape[2] - q.shape[2]
    other = torch.arange(k.shape[2])[None]
    hidden = ((at - other > left) if left >= 0 else other < 0) | ((other - at > right) if right >= 0 else other < 0)
    scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(hidden, -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a function into a package that is not there: package("fla.ops.attn.parallel", parallel_attn=…)."""

    def put(dotted: str, **functions: Any) -> None:
        parts = dotted.split(".")
        for end in range(1, len(parts) + 1):
            name = ".".join(parts[:end])
            module = ModuleType(name)
            module.__path__ = []
            monkeypatch.setitem(sys.modules, name, module)
        for name, function in functions.items():
            setattr(sys.modules[dotted], name, function)

    return put


def published(module: str, name: str, body: Callable[..., Any]) -> Callable[..., Any]:
    """A function that takes what the package's takes; `body` gets every argument by name, defaults included."""
    takes = signature(module, name)

    def call(*args: Any, **more: Any) -> Any:
        given = takes.bind(*args, **more)
        given.apply_defaults()
        return body(**given.arguments)

    return call


def agrees(kernel: str, **given: Any) -> None:
    """Set up without asking whether there is a GPU, and compare with the oracle."""
    with built(attention(kernel, **SIZES | given)) as workload:
        check = workload.check(5)
        assert check.passed, check


CASES: list[tuple[dict[str, Any], bool, tuple[int, int]]] = [
    ({}, True, (-1, 0)),
    ({"causal": False}, False, (-1, -1)),
    ({"pattern": "window:8"}, True, (7, 0)),
    ({"pattern": "window:8", "causal": False}, False, (7, 7)),
    ({"pattern": "window:1"}, True, (0, 0)),
    ({"phase": "forward_backward", "pattern": "window:8"}, True, (7, 0)),
    ({"phase": "decode"}, False, (-1, -1)),
    ({"phase": "decode", "pattern": "window:8"}, False, (-1, -1)),  # the rolling cache holds the window only
]


@pytest.mark.parametrize(
    ("kernel", "module", "unlimited", "pair"),
    [
        ("flash-attn-2", "flash_attn", -1, False),
        ("flash-attn-3", "flash_attn_interface", -1, False),
        ("flash-attn-3", "flash_attn_interface", -1, True),
        ("flash-attn-4", "flash_attn.cute", None, True),
    ],
)
@pytest.mark.parametrize(("given", "causal", "sides"), CASES, ids=str)
def test_flash_attention(
    package: Callable[..., None],
    kernel: str,
    module: str,
    unlimited: int | None,
    pair: bool,
    given: dict[str, Any],
    causal: bool,
    sides: tuple[int, int],
) -> None:
    calls: Recorded = []

    def attend(q: Tensor, k: Tensor, v: Tensor, causal: bool, window_size: Any, **rest: Any) -> Any:
        calls.append({"q": q.shape, "k": k.shape, "causal": causal, "window_size": window_size, **rest})
        left, right = (-1 if side is None else side for side in window_size)
        out = bnhd(q, k, v, left, 0 if causal else right)
        return (out, torch.zeros(())) if pair else out  # out and log-sum-exp

    def with_cache(q: Tensor, k_cache: Tensor, v_cache: Tensor, k: None, v: None, **rest: Any) -> Any:
        return attend(q, k_cache, v_cache, **rest)

    functions = {"flash_attn_func": published(module, "flash_attn_func", attend)}
    if kernel != "flash-attn-4":
        functions["flash_attn_with_kvcache"] = published(module, "flash_attn_with_kvcache", with_cache)
    package(module, **functions)
    agrees(kernel, **given)
    (call,) = calls
    assert call["causal"] is causal
    assert call["window_size"] == tuple(unlimited if side == -1 else side for side in sides)
    decode, window = given.get("phase") == "decode", given.get("pattern")
    assert call["q"] == (2, 1 if decode else 50, 4, 16)
    assert call["k"] == (2, 8 if decode and window else 50, 2, 16)
    if decode:  # 1, the default of generations 3 and 4, leaves most of a GPU idle
        assert call["num_splits"] == 0


def shortest(k: Tensor, v: Tensor, used: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Of each sequence, what it has: (1, keys, KV heads, head_dim)."""
    return [(k[one : one + 1, :keys], v[one : one + 1, :keys]) for one, keys in enumerate(used.tolist())]


@pytest.mark.parametrize(
    ("kernel", "module"), [("flash-attn-2", "flash_attn"), ("flash-attn-3", "flash_attn_interface")]
)
def test_a_ragged_batch_is_told_to_flash_attention(package: Callable[..., None], kernel: str, module: str) -> None:
    def with_cache(q: Tensor, k_cache: Tensor, v_cache: Tensor, cache_seqlens: Tensor, **rest: Any) -> Tensor:
        assert cache_seqlens.tolist() == [17, 34, 50]
        assert cache_seqlens.dtype == torch.int32
        each = zip(q.split(1), shortest(k_cache, v_cache, cache_seqlens), strict=True)
        return torch.cat([bnhd(one, k, v, -1, -1) for one, (k, v) in each])

    package(module, flash_attn_with_kvcache=published(module, "flash_attn_with_kvcache", with_cache))
    agrees(kernel, phase="decode", batch=3, lengths="ragged")


@pytest.mark.parametrize(("pattern", "window"), [("full", None), ("window:8", 8), ("window:1", 1), ("window:99", 99)])
@pytest.mark.parametrize("phase", ["forward", "forward_backward"])
def test_fla_keeps_as_many_keys_as_it_is_told(
    package: Callable[..., None], pattern: str, window: int | None, phase: str
) -> None:
    windows = []

    def parallel_attn(q: Tensor, k: Tensor, v: Tensor, window_size: int | None, **rest: Any) -> Tensor:
        windows.append(window_size)
        assert (q.shape, k.shape) == ((2, 50, 4, 16), (2, 50, 2, 16))
        return bnhd(q, k, v, -1 if window_size is None else window_size - 1, 0)

    package("fla.ops.attn.parallel", parallel_attn=published("fla.ops.attn.parallel", "parallel_attn", parallel_attn))
    agrees("fla", pattern=pattern, phase=phase)
    assert windows == [window]


@pytest.mark.parametrize(
    ("given", "causal", "left"),
    [
        ({}, True, -1),
        ({"causal": False}, False, -1),
        ({"pattern": "window:8"}, True, 7),
        ({"pattern": "window:1"}, True, 0),
    ],
    ids=str,
)
def test_flashinfer_prefill(package: Callable[..., None], given: dict[str, Any], causal: bool, left: int) -> None:
    calls: Recorded = []

    def prefill(q: Tensor, k: Tensor, v: Tensor, causal: bool, window_left: int, kv_layout: str, **rest: Any) -> Tensor:
        assert kv_layout == "NHD"
        calls.append({"causal": causal, "window_left": window_left})
        assert (q.shape, k.shape) == ((50, 4, 16), (50, 2, 16))
        return bnhd(q[None], k[None], v[None], window_left, 0 if causal else -1)[0]

    called = published("flashinfer.prefill", "single_prefill_with_kv_cache", prefill)
    package("flashinfer", single_prefill_with_kv_cache=called)
    agrees("flashinfer", batch=1, **given)
    assert calls == [{"causal": causal, "window_left": left}]


@pytest.mark.parametrize(("given", "causal", "sides"), CASES, ids=str)
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_xformers(
    package: Callable[..., None], kv_heads: int, given: dict[str, Any], causal: bool, sides: tuple[int, int]
) -> None:
    """Its masks say what they hide; shared heads come as five dimensions, K and V not copied."""
    masks, seen = "xformers.ops.fmha.attn_bias", list[tuple[int, int]]()
    lower = signature(masks, "LowerTriangularMask.__init__")
    local = signature(masks, "LocalAttentionFromBottomRightMask.__init__")

    def lower_triangular(*args: Any, **more: Any) -> tuple[int, int]:
        lower.bind(None, *args, **more)
        return -1, 0

    def local_attention(*args: Any, **more: Any) -> tuple[int, int]:
        given = local.bind(None, *args, **more).arguments
        return given["window_left"], given["window_right"]

    def attend(query: Tensor, key: Tensor, value: Tensor, attn_bias: Any, p: float, **rest: Any) -> Tensor:
        assert (p, rest["scale"], rest["op"]) == (0.0, None, None)
        seen.append(attn_bias or (-1, -1))
        if query.dim() == 4:
            return bnhd(query, key, value, *seen[-1])
        assert key.shape[2:4] == query.shape[2:4] == (2, 2) and key.stride(3) == 0
        return bnhd(query.flatten(2, 3), key[:, :, :, 0], value[:, :, :, 0], *seen[-1]).unflatten(2, (2, 2))

    package(masks, LowerTriangularMask=lower_triangular, LocalAttentionFromBottomRightMask=local_attention)
    name = "memory_efficient_attention"
    setattr(sys.modules["xformers.ops"], name, published("xformers.ops", name, attend))
    if given.get("phase") == "forward_backward":
        kv_heads = 4
    agrees("xformers", kv_heads=kv_heads, **given)
    assert set(seen) == {sides}


@pytest.mark.parametrize(("pattern", "keys"), [("full", 50), ("window:8", 8)])
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_flashinfer_decode(package: Callable[..., None], pattern: str, keys: int, kv_heads: int) -> None:
    def decode(q: Tensor, k: Tensor, v: Tensor, use_tensor_cores: bool, **rest: Any) -> Tensor:
        assert (q.shape, k.shape) == ((4, 16), (keys, kv_heads, 16))
        assert use_tensor_cores == (kv_heads < 4)
        return bnhd(q[None, None], k[None], v[None], -1, -1)[0, 0]

    name = "single_decode_with_kv_cache"
    package("flashinfer", **{name: published("flashinfer", name, decode)})
    agrees("flashinfer", phase="decode", batch=1, pattern=pattern, kv_heads=kv_heads)


def test_flashinfer_paged_decode(package: Callable[..., None]) -> None:
    """Pages are looked up, as the package does: 3 sequences of 4 pages of 16 keys."""
    wrapper = "BatchDecodeWithPagedKVCacheWrapper"
    planned: dict[str, Any] = {}

    def run(q: Tensor, paged_kv_cache: tuple[Tensor, Tensor], **rest: Any) -> Tensor:
        table = planned["indices"].view(3, -1)
        k, v = (pages[table].flatten(1, 2) for pages in paged_kv_cache)
        assert k.shape == (3, 64, 2, 16)
        return bnhd(q[:, None], k, v, -1, -1)[:, 0]

    class Wrapper:
        def __init__(self, *args: Any, **more: Any) -> None:
            signature("flashinfer", f"{wrapper}.__init__").bind(self, *args, **more)

        def plan(self, *args: Any, **more: Any) -> None:
            given = signature("flashinfer", f"{wrapper}.plan").bind(self, *args, **more)
            planned.update(given.arguments)

        def run(self, *args: Any, **more: Any) -> Tensor:
            return published("flashinfer", f"{wrapper}.run", lambda self, **given: run(**given))(self, *args, **more)

    package("flashinfer", **{wrapper: Wrapper})
    agrees("flashinfer-paged", phase="decode", batch=3, seq_len=64)
    assert planned["indptr"].tolist() == [0, 4, 8, 12]
    assert planned["last_page_len"].tolist() == [16, 16, 16]
    assert [planned[name] for name in ("num_qo_heads", "num_kv_heads", "head_dim", "page_size")] == [4, 2, 16, 16]
    assert planned["kwargs"] == {"q_data_type": torch.float32, "kv_data_type": torch.float32}


def test_flashinfer_is_given_the_pages_that_a_ragged_batch_has_filled(package: Callable[..., None]) -> None:
    wrapper = "BatchDecodeWithPagedKVCacheWrapper"
    planned: dict[str, Any] = {}

    class Wrapper:
        def __init__(self, *args: Any, **more: Any) -> None:
            pass

        def plan(self, *args: Any, **more: Any) -> None:
            planned.update(signature("flashinfer", f"{wrapper}.plan").bind(self, *args, **more).arguments)

        def run(self, q: Tensor, paged_kv_cache: tuple[Tensor, Tensor]) -> Tensor:
            first, last = planned["indptr"].tolist(), planned["last_page_len"].tolist()
            out = []
            for one, ends in enumerate(first[1:]):
                mine = planned["indices"][first[one] : ends]
                keys = 16 * (len(mine) - 1) + last[one]
                k, v = (pages[mine].flatten(0, 1)[None, :keys] for pages in paged_kv_cache)
                out.append(bnhd(q[None, one : one + 1], k, v, -1, -1)[:, 0])
            return torch.cat(out)

    package("flashinfer", **{wrapper: Wrapper})
    agrees("flashinfer-paged", phase="decode", batch=3, seq_len=64, lengths="ragged")
    assert planned["indptr"].tolist() == [0, 2, 5, 9]  # 22, 43 and 64 keys
    assert planned["indices"].tolist() == [0, 1, 4, 5, 6, 8, 9, 10, 11]
    assert planned["last_page_len"].tolist() == [6, 11, 16]
    assert {planned[name].dtype for name in ("indptr", "indices", "last_page_len")} == {torch.int32}


@pytest.mark.parametrize("kernel", ["varlen", "varlen-paged"])
def test_varlen_is_told_a_ragged_batch(monkeypatch: pytest.MonkeyPatch, kernel: str) -> None:
    varlen = pytest.importorskip("torch.nn.attention.varlen", reason="this PyTorch has no varlen_attn")
    takes = inspect.signature(varlen.varlen_attn)
    if not {"seqused_k", "block_table"} <= set(takes.parameters):
        pytest.skip("this PyTorch's varlen_attn has no caches that are filled in part")

    def varlen_attn(*args: Any, **more: Any) -> Tensor:
        given = takes.bind(*args, **more).arguments
        k, v = given["key"], given["value"]
        if "block_table" in given:
            k, v = (x[given["block_table"]].flatten(1, 2) for x in (k, v))
        else:
            assert given["cu_seq_k"].tolist() == [0, 512, 1024, 1536]
            k, v = (x.unflatten(0, (3, 512)) for x in (k, v))
        assert given["seqused_k"].tolist() == [171, 342, 512]
        each = zip(given["query"][:, None].split(1), shortest(k, v, given["seqused_k"]), strict=True)
        return torch.cat([bnhd(one, *cache, -1, -1)[:, 0] for one, cache in each])

    monkeypatch.setattr(varlen, "varlen_attn", varlen_attn)
    varlen_attn.__signature__ = takes  # type: ignore[attr-defined]
    agrees(kernel, phase="decode", batch=3, seq_len=512, lengths="ragged")


def test_varlen_on_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    varlen = pytest.importorskip("torch.nn.attention.varlen", reason="this PyTorch has no varlen_attn")
    takes = inspect.signature(varlen.varlen_attn)
    if "block_table" not in takes.parameters:
        pytest.skip("this PyTorch's varlen_attn has no block_table")

    def varlen_attn(*args: Any, **more: Any) -> Tensor:
        given = takes.bind(*args, **more).arguments
        k, v = (given[name][given["block_table"]].flatten(1, 2) for name in ("key", "value"))
        assert (given["max_q"], given["max_k"]) == (1, 512)
        assert given["seqused_k"].tolist() == [512, 512]
        assert "num_splits" not in given  # None lets the kernel choose
        return bnhd(given["query"][:, None], k, v, -1, -1)[:, 0]

    monkeypatch.setattr(varlen, "varlen_attn", varlen_attn)
    varlen_attn.__signature__ = takes  # type: ignore[attr-defined]
    agrees("varlen-paged", phase="decode", seq_len=512)


@pytest.mark.parametrize(("kernel", "name"), [("flash-fa3", "FA3"), ("flash-fa4", "FA4")])
def test_another_generation_is_activated_for_as_long_as_the_workload_lives(
    monkeypatch: pytest.MonkeyPatch, kernel: str, name: str
) -> None:
    attention_module = torch.nn.attention
    if not hasattr(attention_module, "activate_flash_attention_impl"):
        pytest.skip("this PyTorch has one FlashAttention only")
    log: list[str] = []
    monkeypatch.setattr(attention_module, "activate_flash_attention_impl", log.append)
    monkeypatch.setattr(attention_module, "restore_flash_attention_impl", lambda: log.append("restored"))
    agrees(kernel)
    assert log == [name, "restored"]


def test_a_generation_that_is_not_installed_is_a_reason() -> None:
    if not hasattr(torch.nn.attention, "activate_flash_attention_impl"):
        pytest.skip("this PyTorch has one FlashAttention only")
    with pytest.raises(Unsupported, match="FA4 cannot be activated: "), built(attention("flash-fa4", **SIZES)):
        pass


@pytest.mark.parametrize(("kernel", "backend"), [("flex-flash", "FLASH"), ("flex-decode", "TRITON_DECODE")])
def test_flex_is_told_its_backend(monkeypatch: pytest.MonkeyPatch, kernel: str, backend: str) -> None:
    from tbench.components.attention.kernels import flex

    told: Recorded = []

    def flex_attention(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
        told.append(options)
        return bnhd(*(x.transpose(1, 2) for x in (q, k, v)), -1, -1).transpose(1, 2)

    monkeypatch.setattr(flex, "compiled", lambda device, kernel: flex_attention)
    agrees(kernel, phase="decode")
    assert told[0]["kernel_options"] == {"BACKEND": backend}


@pytest.mark.parametrize(("given", "causal", "sides"), CASES, ids=str)
def test_varlen(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], causal: bool, sides: tuple[int, int]) -> None:
    varlen = pytest.importorskip("torch.nn.attention.varlen", reason="this PyTorch has no varlen_attn")
    calls: Recorded = []

    def varlen_attn(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        cu_seq_q: Tensor,
        cu_seq_k: Tensor,
        max_q: int,
        max_k: int,
        *,
        window_size: tuple[int, int] = (-1, -1),
        enable_gqa: bool = False,
    ) -> Tensor:
        calls.append({"window_size": window_size, "enable_gqa": enable_gqa})
        assert cu_seq_q.tolist() == [0, max_q, 2 * max_q]
        assert cu_seq_k.tolist() == [0, max_k, 2 * max_k]
        assert cu_seq_q.dtype == torch.int32
        parts = [
            bnhd(query[a:b][None], key[c:d][None], value[c:d][None], *window_size)[0]
            for a, b, c, d in zip(cu_seq_q, cu_seq_q[1:], cu_seq_k, cu_seq_k[1:], strict=False)
        ]
        return torch.cat(parts)

    monkeypatch.setattr(varlen, "varlen_attn", varlen_attn)
    agrees("varlen", **given)
    assert calls == [{"window_size": sides, "enable_gqa": True}]
    agrees("varlen", kv_heads=4, **given)
    assert calls[-1] == {"window_size": sides, "enable_gqa": False}


def test_an_older_varlen_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    varlen = pytest.importorskip("torch.nn.attention.varlen", reason="this PyTorch has no varlen_attn")

    def older(
        query: Tensor, key: Tensor, value: Tensor, q: Tensor, k: Tensor, max_q: int, max_k: int, is_causal: bool = False
    ) -> Tensor:
        raise AssertionError("not called")

    monkeypatch.setattr(varlen, "varlen_attn", older)
    for given, says in (({"pattern": "window:8"}, "has no window_size"), ({"pattern": "full"}, "has no enable_gqa")):
        with (
            pytest.raises(Unsupported, match=f"varlen_attn of PyTorch .* {says}"),
            built(attention("varlen", **SIZES | given)),
        ):
            pass


@pytest.mark.parametrize("kernel", ["flash-attn-2", "flash-attn-3", "flash-attn-4", "fla", "flashinfer", "xformers"])
def test_a_package_that_cannot_be_imported_is_a_reason(package: Callable[..., None], kernel: str) -> None:
    (root, _), *_ = ATTENTION.variants[kernel].requires
    package(root)  # there, but without what is looked for
    with pytest.raises(Unsupported, match=rf"{root}\S* cannot be imported: "), built(attention(kernel, **SIZES)):
        pass


@pytest.mark.parametrize(
    ("kernel", "given", "says"),
    [
        ("flash-attn-2", {"pattern": "strided:8:8"}, "supports windows, not strided"),
        ("flash-attn-2", {"pattern": "alternating:8:2"}, None),
        ("flash-attn-2", {"head_dim": 512}, "takes head_dim up to 256 on CUDA, not 512"),
        ("flash-attn-2", {"dtype": "float32"}, "flash-attn-2 takes bfloat16 or float16, not float32"),
        ("fla", {"causal": False}, "supports causal attention only"),
        ("fla", {"phase": "decode"}, "fla has no decode (forward, forward_backward only)"),
        ("flashinfer", {"batch": 2}, "takes one sequence at a time: batch 1"),
        ("flashinfer", {"pattern": "window:8", "causal": False}, "supports windows only with causal attention"),
        ("flashinfer", {"phase": "decode", "pattern": "window:8", "causal": False}, None),
        ("xformers", {"phase": "forward_backward"}, "has no backward for shared KV heads"),
        ("xformers", {"phase": "forward_backward", "kv_heads": 4}, None),
        ("flashinfer", {"phase": "forward_backward"}, "flashinfer has no forward_backward (forward, decode only)"),
    ],
    ids=str,
)
def test_limits(monkeypatch: pytest.MonkeyPatch, kernel: str, given: dict[str, Any], says: str | None) -> None:
    monkeypatch.setattr("tbench.components.registry.installed", lambda module: True)
    case = attention(kernel, **SIZES | {"device": "cuda:0", "dtype": "bfloat16", "batch": 1} | given)
    assert ATTENTION.unsupported(case) == says
