"""Every variant × pattern × sharing × phase × dtype × causality that runs on a CPU, against the float64 oracle."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from tbench.components.attention import ATTENTION
from tbench.components.registry import DTYPES, Impossible
from tbench.errors import Unsupported
from tbench.execution.failures import described
from tbench.measure import compiler
from tbench.records import Case
from tests.components.cases import SIZES, attention, built

COMPILED = ("naive-compiled", "flex")
ON_CPU = tuple(name for name, variant in ATTENTION.variants.items() if "cpu" in variant.devices)
CHEAP = tuple(name for name in ON_CPU if name not in COMPILED)
NAMED = tuple(name for name in CHEAP if name != "auto")  # `auto` takes one of them: see test_auto.py
FUSED = ("flash", "math")
PATTERNS = ("full", "window:40", "strided:24:16", "fixed:32:8", "alternating:40:2")
SHARING = (4, 2, 1)  # of 4 heads: MHA, GQA, MQA


@pytest.fixture(autouse=True)
def backends_are_as_they_were() -> Iterator[None]:
    """Closing a workload gives every SDPA backend back."""

    def enabled() -> tuple[bool, ...]:
        b = torch.backends.cuda
        return b.flash_sdp_enabled(), b.mem_efficient_sdp_enabled(), b.math_sdp_enabled(), b.cudnn_sdp_enabled()

    before = enabled()
    yield
    assert enabled() == before


def wrong(case: Case) -> str | None:
    """What is wrong with the case: None if it is right, or says why it cannot run."""
    if ATTENTION.unsupported(case):
        return None
    try:
        with built(case) as workload:
            check = workload.check(7)
    except Unsupported as reason:
        return None if str(reason) else f"{case.id}: refused without a reason"
    return None if check.passed else f"{case.id}: {check.error:.2g} > {check.limit:.2g} {check.detail}"


def compiles(case: Case) -> bool:
    """Whether `auto` would take flex, which compiles for seconds: these cases are few, and below."""
    if case["kernel"] != "auto" or case.phase == "forward_backward":
        return False
    return str(case["pattern"]).startswith(("strided", "fixed"))


def runs(case: Case) -> bool:
    """Whether the case is computed here, and not refused."""
    if ATTENTION.unsupported(case):
        return False
    try:
        with built(case):
            return True
    except Unsupported:
        return False


@pytest.mark.parametrize("phase", ATTENTION.phases)
@pytest.mark.parametrize(("kernel", "dtype"), [*itertools.product(NAMED, DTYPES), ("auto", "float32")])
def test_every_combination_is_right(kernel: str, phase: str, dtype: str) -> None:
    cases = [
        attention(kernel, phase=phase, dtype=dtype, seq_len=90, pattern=pattern, kv_heads=kv_heads, causal=causal)
        for pattern, kv_heads, causal in itertools.product(PATTERNS, SHARING, (True, False))
    ]
    assert not [problem for case in cases if not compiles(case) and (problem := wrong(case))]


@pytest.mark.parametrize("kernel", ["naive", "masked", "auto"])
def test_a_ragged_batch_is_read_as_far_as_it_is_filled(kernel: str) -> None:
    cases = [
        attention(kernel, phase="decode", lengths="ragged", batch=3, pattern=pattern, kv_heads=kv_heads, dtype=dtype)
        for pattern, kv_heads, dtype in itertools.product(("full", "window:150", "alternating:150:2"), SHARING, DTYPES)
    ]
    assert all(runs(case) for case in cases)
    assert not [problem for case in cases if (problem := wrong(case))]


def test_rolling_caches_that_are_all_full_are_no_ragged_batch() -> None:
    case = attention("flash", phase="decode", lengths="ragged", batch=3, pattern="window:40")  # the shortest has 100
    assert runs(case)
    assert wrong(case) is None


@pytest.mark.parametrize("kernel", ["math", "flash", "flex"])
def test_a_kernel_that_reads_every_cache_to_its_end_is_refused_a_ragged_batch(kernel: str) -> None:
    reason = ATTENTION.unsupported(attention(kernel, phase="decode", lengths="ragged"))
    assert reason is not None and "ragged" in reason


def test_to_read_what_lies_behind_a_sequence_is_wrong() -> None:
    with built(attention("naive", phase="decode", lengths="ragged", kv_heads=2)) as workload:
        (step,) = workload.sets[0]
        step.attend = lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        assert not workload.check(1).passed


LENGTHS: list[dict[str, Any]] = [
    {"seq_len": 1},
    {"seq_len": 1, "pattern": "window:1"},
    {"seq_len": 2, "pattern": "window:1"},
    {"pattern": "window:1"},
    {"seq_len": 40, "pattern": "window:40"},  # L = W
    {"seq_len": 41, "pattern": "window:40"},  # L = W + 1
    {"seq_len": 39, "pattern": "window:40"},  # L < W
    {"seq_len": 300, "pattern": "window:299"},
    {"seq_len": 300, "pattern": "window:300"},
    {"seq_len": 300, "pattern": "window:1000"},
    {"seq_len": 64, "pattern": "window:64"},
    {"seq_len": 65, "pattern": "window:64"},
    {"seq_len": 128, "pattern": "window:33"},
    {"seq_len": 129, "pattern": "window:33"},
    {"seq_len": 127, "pattern": "strided:200:7"},
    {"seq_len": 127, "pattern": "strided:1:1"},
    {"seq_len": 127, "pattern": "strided:1:500"},
    {"seq_len": 257, "pattern": "fixed:300:4"},
    {"seq_len": 257, "pattern": "fixed:1:1"},
    {"seq_len": 257, "pattern": "fixed:64:64"},
    {"seq_len": 50, "pattern": "alternating:64:3"},
    {"seq_len": 1, "pattern": "alternating:64:2"},
    {"seq_len": 700, "pattern": "window:600"},  # pieces of a quarter window
    {"heads": 1, "kv_heads": 1, "batch": 1},
    {"heads": 3, "kv_heads": 1, "batch": 3, "head_dim": 24},
    {"heads": 6, "kv_heads": 3, "batch": 1, "head_dim": 32},
]


@pytest.mark.parametrize("phase", ATTENTION.phases)
@pytest.mark.parametrize("kernel", NAMED)
def test_lengths_and_sizes_at_the_edges(kernel: str, phase: str) -> None:
    dtypes = ("float32", "bfloat16") if kernel in FUSED else ("float32",)  # positions know no dtype, tiles may
    cases = [
        attention(kernel, phase=phase, causal=causal, dtype=dtype, **{"kv_heads": 2} | given)
        for given, causal, dtype in itertools.product(LENGTHS, (True, False), dtypes)
    ]
    assert not [problem for case in cases if not compiles(case) and (problem := wrong(case))]


RUN: dict[str, set[str]] = {
    "naive": {"full", "window:40", "strided:24:16", "fixed:32:8", "alternating:40:2"},
    "math": {"full"},
    "flash": {"full"},
    "chunked": {"window:40"},
    "masked": {"full", "window:40", "strided:24:16", "fixed:32:8", "alternating:40:2"},
}


@pytest.mark.parametrize("kernel", RUN)
@pytest.mark.parametrize("phase", ["forward", "forward_backward"])
def test_what_is_said_to_run_does(kernel: str, phase: str) -> None:
    """The tests above hold only for what is not refused: this is that."""
    for dtype in DTYPES:
        for kv_heads in SHARING:
            case = attention(kernel, phase=phase, dtype=dtype, kv_heads=kv_heads)
            assert {one for one in PATTERNS if runs(case.with_(pattern=one))} == RUN[kernel]


@pytest.mark.parametrize("kernel", ["naive", "math", "flash", "masked"])
def test_decode_with_a_rolling_cache_needs_no_pattern(kernel: str) -> None:
    """The cache holds the window and nothing else, so a kernel that knows no patterns can read it."""
    case = attention(kernel, phase="decode", pattern="window:40")
    assert runs(case)
    with built(case) as workload:
        (step,) = workload.sets[0]
        assert step.inputs.k.shape == (2, 4, 40, 16)
        assert workload.check(1).passed


def test_heads_that_cannot_be_shared_evenly_are_refused() -> None:
    with pytest.raises(
        Impossible, match="3 KV heads cannot be shared evenly by 4 heads; write a divisor of 4"
    ) as caught:
        ATTENTION.complete(SIZES | {"kv_heads": 3})
    assert caught.value.axis == "kv_heads"
    with pytest.raises(Impossible, match="8 KV heads cannot be shared evenly by 4 heads"):
        ATTENTION.complete(SIZES | {"kv_heads": 8})
    assert ATTENTION.complete({"heads": 4})["kv_heads"] == 4


@pytest.mark.parametrize("kernel", [name for name in ATTENTION.variants if name not in ON_CPU])
def test_what_needs_a_gpu_says_so(kernel: str) -> None:
    assert ATTENTION.unsupported(attention(kernel, dtype="bfloat16")) == f"{kernel} runs on cuda only"


@pytest.mark.parametrize(
    ("kernel", "given", "says"),
    [
        ("flash", {"pattern": "window:40"}, "computes every pair; does not support pattern window"),
        ("math", {"pattern": "alternating:40:2"}, "computes every pair; does not support pattern window"),
        ("chunked", {"pattern": "strided:24:16"}, "supports windows only; strided has no maximum distance"),
        ("flex", {"phase": "forward_backward"}, "has no backward on a CPU"),
    ],
)
def test_limits_are_told_before_anything_is_set_up(kernel: str, given: dict[str, Any], says: str) -> None:
    assert ATTENTION.unsupported(attention(kernel, **given)) == says


# ---------------------------------------------------------------- compiled kernels: seconds each, so telling cases only


@cache
def no_compiler() -> str | None:
    return compiler.problem()


@pytest.fixture
def compiling() -> Iterator[None]:
    reason = no_compiler()
    if reason is not None:
        pytest.skip(reason)
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


FLEX: list[dict[str, Any]] = [
    {"seq_len": 300, "kv_heads": 2},
    {"seq_len": 129, "kv_heads": 1, "causal": False, "pattern": "window:40", "dtype": "bfloat16"},
    {"seq_len": 300, "pattern": "fixed:32:8", "causal": False},
    {"seq_len": 1, "dtype": "float16"},
    {"seq_len": 300, "phase": "decode", "pattern": "strided:24:16", "kv_heads": 2},
]

# Its patterns are data, the same as naive's, which is tried with all of them.
NAIVE_COMPILED: list[dict[str, Any]] = [
    {"seq_len": 129, "causal": False, "pattern": "strided:24:16", "kv_heads": 1, "dtype": "float16"},
    {"seq_len": 300, "phase": "decode", "kv_heads": 1},
    {"seq_len": 129, "phase": "forward_backward", "pattern": "window:40", "kv_heads": 2, "dtype": "bfloat16"},
]


@pytest.mark.parametrize(
    ("kernel", "given"),
    [
        *(("flex", given) for given in FLEX),
        *(("naive-compiled", given) for given in NAIVE_COMPILED),
        ("auto", {"seq_len": 300, "pattern": "strided:24:16", "kv_heads": 2}),
    ],
    ids=str,
)
def test_compiled_kernels_are_right(compiling: None, kernel: str, given: dict[str, Any]) -> None:
    case = attention(kernel, **given)
    assert ATTENTION.unsupported(case) is None
    with built(case) as workload:
        check = workload.check(7)
        assert check.passed, check
        assert workload.ran == ("flex" if kernel == "auto" else kernel)
        assert workload.check(8).passed


@pytest.mark.parametrize("kernel", COMPILED)
def test_without_a_compiler_the_remedy_is_named(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import cpp_builder
    from torch._inductor.exc import InvalidCxxCompiler

    def none_found() -> str:
        raise InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none_found)
    with pytest.raises(Unsupported, match="install g\\+\\+, or name one in CXX"), built(attention(kernel)):
        pass


def test_a_broken_compiler_makes_it_unsupported_with_what_the_compiler_says(
    compiling: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._inductor import cpp_builder

    broken = tmp_path / "g++"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && exec g++ --version\necho "error: no room" >&2; exit 1\n')
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", lambda: str(broken))
    with built(attention("naive-compiled", seq_len=67)) as workload, pytest.raises(Exception) as raised:
        workload.call()
    status, reason = described(raised.value)
    assert status == "unsupported", reason
    assert "error: no room" in reason and "apt-get install g++" in reason


@pytest.mark.parametrize(
    ("pattern", "share"), [("full", 0.5), ("window:128", 2 / 8), ("fixed:128:1", 0.5), ("strided:128:128", 0.5)]
)
def test_blocks_without_kept_pairs_are_left_out(pattern: str, share: float) -> None:
    """What flex need not touch; patterns with a kept pair in every block save nothing there."""
    from tbench.components.attention.kernels.masks import blocks, dense_mask
    from tests.components.cases import problem

    one = problem(seq_len=1024 + 3, pattern=pattern)
    some, every = blocks(one)
    assert some.shape == (9, 9)
    mask = dense_mask(one)
    for i, rows in enumerate(mask.split(128)):
        for j, block in enumerate(rows.split(128, dim=1)):
            assert bool(some[i, j]) == bool(block.any())
            assert bool(every[i, j]) == bool(block.all())
    assert float(some.float().mean()) == pytest.approx(share, abs=0.08)
