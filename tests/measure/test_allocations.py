"""Allocated bytes, exact: against tensors of known size, and on CUDA against scripted counters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tbench.measure import memory
from tbench.measure.allocations import CpuWatch, CudaWatch, highest_sum
from tbench.measure.device import CpuDevice
from tests.measure.fakes import FakeCuda, ScriptedDevice

SQUARE = 256 * 256 * 4  # bytes of a 256 × 256 float32 matrix
A, B = torch.randn(256, 256), torch.randn(256, 256)


def temporary_freed_before_another() -> torch.Tensor:
    first = A + B
    del first
    return A * B


def two_at_once() -> torch.Tensor:
    return (A + B) * (A - B)  # two terms and the product are alive together


def reused_in_place() -> torch.Tensor:
    return (A + B).neg_()


@pytest.mark.parametrize(
    ("call", "bytes_"),
    [
        (lambda: A @ B, SQUARE),
        (lambda: A.view(-1), 0),
        (lambda: A.to(torch.float16), SQUARE // 2),
        (lambda: torch.empty(3, dtype=torch.uint8), 3),
        (temporary_freed_before_another, SQUARE),
        (two_at_once, 3 * SQUARE),
        (reused_in_place, SQUARE),
    ],
)
def test_the_peak_of_a_call_is_exact(call: Callable[[], Any], bytes_: int) -> None:
    with CpuWatch() as watch:
        call()
    assert watch.transient_bytes == bytes_


def test_what_was_there_before_counts_as_there_to_the_end() -> None:
    held = [torch.empty(10_000, dtype=torch.uint8)]

    def call() -> None:
        held.clear()
        torch.empty(1000, dtype=torch.uint8)

    with CpuWatch() as watch:
        call()
    assert watch.transient_bytes == 1000


def test_backward_counts_too() -> None:
    x = torch.randn(256, 256, requires_grad=True)
    with CpuWatch() as watch:
        (grad,) = torch.autograd.grad((x * 2.0).sum(), x)
        del grad
    assert watch.transient_bytes is not None
    assert SQUARE <= watch.transient_bytes <= 2 * SQUARE + 64


def test_the_process_peak_is_of_this_block_only() -> None:
    big = torch.ones(64 << 18)  # 64 MiB, gone before the block
    peak_with = CpuWatch().process_peak()
    del big
    with CpuWatch() as watch:
        torch.empty(8)
    if watch.process_peak_bytes is None:
        assert "cannot be reset" in watch.unavailable["process_peak_bytes"]
    else:
        assert peak_with is not None
        assert 0 < watch.process_peak_bytes < peak_with


def test_a_process_peak_that_cannot_be_reset_is_missing_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "clear_refs").mkdir()
    with CpuWatch(tmp_path) as watch:
        torch.empty(8)
    assert watch.process_peak_bytes is None
    assert "cannot be reset here (Is a directory)" in watch.unavailable["process_peak_bytes"]
    assert watch.transient_bytes == 32


def test_a_system_without_a_peak_says_so(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tpython\n")
    with CpuWatch(tmp_path) as watch:
        pass
    assert watch.process_peak_bytes is None
    assert watch.unavailable["process_peak_bytes"] == "/proc/self/status has no VmHWM"


@given(st.lists(st.integers(-1000, 1000)))
def test_the_highest_running_sum_in_time_order(sizes: list[int]) -> None:
    events = list(enumerate(sizes))
    expected = max([0, *(sum(sizes[:end]) for end in range(1, len(sizes) + 1))])
    assert highest_sum(events) == expected
    assert highest_sum(events[::-1]) == expected


# ---------------------------------------------------------------------- one call of a workload


def workload(call: Callable[[], Any], resident_bytes: int) -> Any:
    return SimpleNamespace(calls=[call], resident_bytes=resident_bytes)


def test_peak_is_what_was_there_and_what_the_call_adds() -> None:
    seen = memory.peak(CpuDevice(), workload(lambda: A @ B, 2 * SQUARE))
    assert seen.resident_bytes == 2 * SQUARE
    assert seen.peak_bytes == 3 * SQUARE
    assert seen.reserved_bytes is None
    assert seen.unavailable["reserved_bytes"] == "CUDA only"


def test_a_watch_that_cannot_count_leaves_the_peak_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Blind(CpuWatch):
        def __exit__(self, *problem: Any) -> None:
            super().__exit__(*problem)
            self.transient_bytes = None

    device = ScriptedDevice()
    monkeypatch.setattr(device, "watch_memory", Blind)
    seen = memory.peak(device, workload(lambda: A @ B, SQUARE))
    assert seen.peak_bytes is None
    assert seen.resident_bytes == SQUARE
    assert device.log == ["synchronize"]


def test_what_the_call_raises_is_passed_on() -> None:
    def fails() -> None:
        raise MemoryError("no more")

    with pytest.raises(MemoryError, match="no more"):
        memory.peak(CpuDevice(), workload(fails, 0))


# ---------------------------------------------------------------------- CUDA


class ScriptedTelemetry:
    def __init__(self, seen: dict[str, Any]) -> None:
        self.seen = seen

    def snapshot(self, names: Any) -> dict[str, Any]:
        return {"time": 0.0, "unavailable": {}, **self.seen}


def counters(requested: int, allocated: int, reserved: int = 0) -> dict[str, int]:
    kinds = {"requested_bytes": requested, "allocated_bytes": allocated, "reserved_bytes": reserved}
    return {f"{kind}.all.{what}": size for kind, size in kinds.items() for what in ("current", "peak")}


def cuda_watch(cuda: FakeCuda, seen: dict[str, Any]) -> CudaWatch:
    return CudaWatch(cuda, 0, ScriptedTelemetry(seen))  # type: ignore[arg-type]


def test_cuda_counts_requested_bytes_from_a_clean_cache() -> None:
    cuda = FakeCuda()
    cuda.stats = [counters(1000, 1024), counters(3500, 4096, 2 << 20)]
    with cuda_watch(cuda, {"process_bytes": 500 << 20, "memory_used_bytes": 900 << 20}) as watch:
        cuda.log.append("call")
    assert cuda.log == ["empty_cache", "reset_peak", "call"]
    assert watch.transient_bytes == 2500
    assert watch.reserved_bytes == 2 << 20
    assert (watch.process_peak_bytes, watch.device_used_bytes) == (500 << 20, 900 << 20)
    assert watch.unavailable == {}


def test_cuda_counts_allocated_bytes_where_requested_are_not_counted() -> None:
    cuda = FakeCuda()
    cuda.stats = [counters(0, 1024), counters(0, 4096)]
    with cuda_watch(cuda, {}) as watch:
        pass
    assert watch.transient_bytes == 3072


def test_what_nvml_refuses_is_missing_with_its_reason() -> None:
    cuda = FakeCuda()
    cuda.stats = [counters(0, 0), counters(8, 512)]
    refusals = {"process_bytes": "not in a container", "memory_used_bytes": "no permission"}
    with cuda_watch(cuda, {"unavailable": refusals}) as watch:
        pass
    assert watch.process_peak_bytes is None
    assert watch.unavailable == {"process_peak_bytes": "not in a container", "device_used_bytes": "no permission"}


def test_a_call_that_fails_on_cuda_is_not_counted() -> None:
    cuda = FakeCuda()
    cuda.stats = [counters(0, 0)]
    watch = cuda_watch(cuda, {})
    with pytest.raises(RuntimeError), watch:
        raise RuntimeError("out of memory")
    assert watch.transient_bytes is None
