"""Attention on a real GPU: every variant that says it runs there, against the oracle; what ran; what it holds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch

from tbench.components.attention import ATTENTION
from tbench.components.registry import DTYPES
from tbench.errors import Unsupported
from tbench.measure import memory
from tbench.measure.device import open_device
from tbench.records import Case
from tests.components.cases import attention, built

PATTERNS = ("full", "window:40", "strided:24:16", "fixed:32:8", "alternating:40:2")
SIZES: dict[str, Any] = {"device": "cuda:0", "head_dim": 64, "seq_len": 300}  # no multiple of a block
COMPILED = ("naive-compiled", "flex")  # seconds each: fewer cases


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    torch.cuda.empty_cache()
    yield
    torch._dynamo.reset()
    torch.cuda.empty_cache()


def on_gpu(kernel: str, **given: Any) -> Case:
    return attention(kernel, **SIZES | given)


@cache
def refusal(case: Case) -> str | None:
    """Why the case cannot run here; None if it can."""
    reason = ATTENTION.unsupported(case)
    if reason is not None:
        return reason
    try:
        with built(case):
            return None
    except Unsupported as refused:
        return str(refused) or "refused without a reason"


def wrong(case: Case) -> str | None:
    """What is wrong with a case that can run: None if it is right."""
    if refusal(case) is not None:
        return None
    torch._dynamo.reset()
    with built(case) as workload:
        check = workload.check(7)
    return None if check.passed else f"{case.id}: {check.error:.2g} > {check.limit:.2g} {check.detail}"


def combinations(kernel: str, phase: str, dtype: str) -> list[Case]:
    few = kernel in COMPILED or kernel == "auto"
    sharing, causal = ((2,), (True,)) if few else ((4, 2, 1), (True, False))
    return [
        on_gpu(kernel, phase=phase, dtype=dtype, pattern=pattern, kv_heads=kv_heads, causal=one)
        for pattern, kv_heads, one in itertools.product(PATTERNS, sharing, causal)
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("phase", ATTENTION.phases)
@pytest.mark.parametrize("kernel", ATTENTION.variants)
def test_every_combination_is_right(kernel: str, phase: str, dtype: str) -> None:
    cases = combinations(kernel, phase, dtype)
    reasons = [refusal(case) for case in cases]
    assert all(reason != "refused without a reason" for reason in reasons)
    if all(reasons):
        pytest.skip(f"{kernel} cannot run this here: {reasons[0]}")
    assert not [problem for case in cases if (problem := wrong(case))]


@pytest.mark.parametrize(
    "given",
    [
        {"seq_len": 1},
        {"seq_len": 40, "pattern": "window:40"},
        {"seq_len": 41, "pattern": "window:40"},
        {"seq_len": 129, "pattern": "window:1"},
        {"seq_len": 300, "pattern": "window:1000"},
        {"seq_len": 300, "heads": 1, "kv_heads": 1},
        {"seq_len": 300, "head_dim": 128, "kv_heads": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("kernel", [name for name in ATTENTION.variants if name not in COMPILED])
def test_lengths_and_sizes_at_the_edges(kernel: str, given: dict[str, Any]) -> None:
    cases = [on_gpu(kernel, phase=phase, dtype="bfloat16", **given) for phase in ATTENTION.phases]
    if all(refusal(case) for case in cases):
        pytest.skip(f"{kernel} cannot run this here: {refusal(cases[0])}")
    assert not [problem for case in cases if (problem := wrong(case))]


@pytest.mark.parametrize(
    ("kernel", "given"),
    [
        ("naive", {"dtype": "float32"}),
        ("math", {"dtype": "float32"}),
        ("efficient", {"dtype": "float32"}),
        ("flash", {"dtype": "bfloat16"}),
        ("flash", {"dtype": "float16", "phase": "forward_backward", "kv_heads": 1}),
        ("flash", {"dtype": "bfloat16", "phase": "decode", "kv_heads": 2}),
        ("chunked", {"dtype": "bfloat16", "pattern": "window:40"}),
        ("varlen", {"dtype": "bfloat16", "pattern": "window:40"}),
        ("flex", {"dtype": "bfloat16", "pattern": "window:40"}),
        ("flex", {"dtype": "bfloat16", "pattern": "window:40", "phase": "forward_backward"}),
    ],
    ids=str,
)
def test_what_is_expected_to_run_on_ampere_and_later_does(kernel: str, given: dict[str, Any]) -> None:
    """The tests above pass over what is refused: this must not be."""
    if torch.cuda.get_device_capability(0) < (8, 0):
        pytest.skip("needs compute capability 8.0 or newer")
    case = on_gpu(kernel, **given)
    assert refusal(case) is None
    with built(case) as workload:
        assert workload.ran == kernel
        assert workload.check(3).passed


@pytest.mark.parametrize("kernel", ["naive", "masked", "varlen", "varlen-paged"])
@pytest.mark.parametrize("kv_heads", [4, 1])
def test_a_ragged_batch_is_read_as_far_as_it_is_filled(kernel: str, kv_heads: int) -> None:
    sizes = {"phase": "decode", "batch": 3, "seq_len": 512, "kv_heads": kv_heads, "lengths": "ragged"}
    case = on_gpu(kernel, dtype="bfloat16", **sizes)
    if (reason := refusal(case)) is not None:
        pytest.skip(f"{kernel} cannot run this here: {reason}")
    with built(case) as workload:
        assert workload.check(3).passed


def kernels_of(case: Case) -> list[str]:
    """Names of the device functions one call runs, from the profiler."""
    from torch.profiler import ProfilerActivity, profile

    with built(case) as workload:
        workload.call()
        torch.cuda.synchronize()
        with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as recorded:
            workload.call()
            torch.cuda.synchronize()
    return [event.key.lower() for event in recorded.key_averages()]


@pytest.mark.parametrize(
    ("kernel", "word"),
    [("flash", "flash"), ("efficient", "efficient"), ("cudnn", "cudnn"), ("varlen", "flash"), ("flex", "flex")],
)
def test_the_backend_that_is_named_is_the_one_that_runs(kernel: str, word: str) -> None:
    case = on_gpu(kernel, dtype="bfloat16")
    reason = refusal(case)
    if reason is not None:
        pytest.skip(f"{kernel} cannot run here: {reason}")
    with built(case) as workload:
        assert workload.ran == kernel
    assert any(word in name for name in kernels_of(case))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("phase", ATTENTION.phases)
def test_auto_says_what_ran(phase: str, pattern: str) -> None:
    case = on_gpu("auto", dtype="bfloat16", phase=phase, pattern=pattern)
    with built(case) as workload:
        assert workload.check(3).passed
        assert set(workload.ran.split(" + ")) <= set(ATTENTION.variants) - {"auto"}


def weighed(case: Case) -> memory.Memory:
    with built(case) as workload:
        workload.call()
        return memory.peak(open_device("cuda:0"), workload)


@pytest.mark.parametrize("phase", ["forward", "forward_backward"])
@pytest.mark.parametrize("kv_heads", [8, 1])
def test_the_allocators_peak_of_flash_is_predicted(phase: str, kv_heads: int) -> None:
    case = on_gpu("flash", dtype="bfloat16", phase=phase, batch=4, seq_len=4096, heads=8, kv_heads=kv_heads)
    if refusal(case) is not None:
        pytest.skip(f"flash cannot run here: {refusal(case)}")
    assert weighed(case).peak_bytes == pytest.approx(ATTENTION.predict_bytes(case), rel=0.1)


def test_naive_holds_its_scores_and_flash_does_not() -> None:
    peaks = {
        kernel: weighed(on_gpu(kernel, dtype="bfloat16", seq_len=4096)).peak_bytes
        for kernel in ("naive", "flash")
        if refusal(on_gpu(kernel, dtype="bfloat16", seq_len=4096)) is None
    }
    if "flash" not in peaks:
        pytest.skip("flash cannot run here")
    assert peaks["naive"] is not None and peaks["flash"] is not None
    assert peaks["naive"] > 10 * peaks["flash"]


def test_decode_holds_its_cache_and_little_else() -> None:
    held = {}
    for kv_heads in (32, 8, 1):
        case = on_gpu("naive", dtype="bfloat16", phase="decode", seq_len=16384, heads=32, kv_heads=kv_heads, batch=1)
        work = ATTENTION.work_of(case)
        assert work is not None and work.kv_cache_bytes is not None
        peak = weighed(case).peak_bytes
        assert peak is not None
        assert work.kv_cache_bytes <= peak <= work.kv_cache_bytes + 8 * 2**20
        held[kv_heads] = work.kv_cache_bytes
    assert held[8] == held[32] / 4
    assert held[1] == held[32] / 32
