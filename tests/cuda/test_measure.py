"""The measuring floor on a real GPU. Bounds are wide: a test tells a wrong clock from a right one, not a fast GPU."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tbench.components.attention import ATTENTION
from tbench.execution.sets import count
from tbench.measure import ceilings, memory
from tbench.measure.cuda import CudaDevice
from tbench.measure.device import open_device, resolve
from tbench.measure.environment import capture
from tbench.measure.nvml import FIGURES
from tbench.measure.sampler import Ring, calibrate, take_turn, warm_up
from tbench.records import Sampling
from tests.components.cases import attention


@pytest.fixture
def device() -> CudaDevice:
    opened = open_device("cuda:0")
    assert isinstance(opened, CudaDevice)
    return opened


@pytest.fixture
def clean() -> Iterator[None]:
    """Nothing of other tests in the caching allocator."""
    torch.cuda.empty_cache()
    yield
    torch.cuda.empty_cache()


def square(side: int) -> torch.Tensor:
    return torch.randn(side, side, device="cuda:0")


def test_the_first_gpu_is_the_automatic_device() -> None:
    assert resolve("auto") == "cuda:0"
    assert resolve("cuda") == "cuda:0"


def test_events_agree_with_the_host_on_a_long_kernel(device: CudaDevice) -> None:
    a = square(4096)

    def call() -> torch.Tensor:
        return a @ a

    warm_up(device, Ring([call]), 0.2)
    calls = max(1, round(0.1 / device.time(call, 1).seconds))
    shares = []
    for _ in range(5):
        device.synchronize()
        began = time.perf_counter()
        seconds = device.time(call, calls).seconds
        shares.append(seconds * calls / (time.perf_counter() - began))
    assert max(shares) <= 1.02
    assert max(shares) >= 0.8  # the host may have been kept busy, but not every time


def test_work_on_another_stream_is_counted(device: CudaDevice) -> None:
    a = square(4096)
    other = torch.cuda.Stream()

    def here() -> torch.Tensor:
        return a @ a

    def elsewhere() -> None:
        with torch.cuda.stream(other):
            here()

    warm_up(device, Ring([here]), 0.2)
    warm_up(device, Ring([elsewhere]), 0.1)
    honest = min(device.time(here, 20).seconds for _ in range(5))
    hidden = min(device.time(elsewhere, 20).seconds for _ in range(5))
    assert hidden >= 0.8 * honest


@pytest.mark.parametrize(("side", "bound"), [(8, True), (4096, False)])
def test_tiny_kernels_are_launch_bound_and_large_ones_are_not(device: CudaDevice, side: int, bound: bool) -> None:
    a = square(side)

    def call() -> torch.Tensor:
        return a @ a

    ring = Ring([call])
    warm_up(device, ring, 0.2)
    samples = take_turn(device, ring, calibrate(device, ring, Sampling()), 0.05)
    assert samples.telemetry["launch_bound"] is bound
    assert len(samples.host_seconds) == len(samples.seconds)


def test_a_decode_step_is_timed_on_more_inputs_than_the_l2_holds(device: CudaDevice) -> None:
    case = attention("naive", device="cuda:0", dtype="bfloat16", phase="decode", seq_len=4096, heads=8, head_dim=64)
    work = ATTENTION.work_of(case)
    assert work is not None
    sets = count(work, "decode", Sampling(), device.cache_bytes(), device.free_bytes() // 8)
    assert sets * work.bytes >= 2 * device.cache_bytes()
    workload = ATTENTION.workload(case, 1, sets)
    try:
        ring = Ring(workload.calls, workload.nudge)
        asked: dict[str, Any] = {}
        judge = SimpleNamespace(
            expect=lambda index: asked.update(right=workload.expect(index, 3)),
            compare=lambda results: asked.update(check=asked["right"].compare(results)),
        )
        samples = take_turn(device, ring, calibrate(device, ring, Sampling()), 0.02, judge)
        assert all(second > 0 for second in samples.seconds)
        assert asked["check"].passed
    finally:
        workload.close()


def test_the_l2_has_a_size(device: CudaDevice) -> None:
    assert device.cache_bytes() >= 1 << 18


def test_the_peak_of_a_call_is_exact(device: CudaDevice, clean: None) -> None:
    a, b = square(1024), square(1024)
    size = a.nbytes

    def two_at_once() -> Any:
        return (a + b) * (a - b)

    def one_after_another() -> Any:
        first = a + b
        del first
        return a * b

    for call, temporary in ((two_at_once, 3 * size), (one_after_another, size)):
        seen = memory.peak(device, SimpleNamespace(calls=[call], resident_bytes=2 * size))  # type: ignore[arg-type]
        assert seen.peak_bytes == 2 * size + temporary
        assert seen.reserved_bytes is not None
        assert seen.reserved_bytes >= seen.peak_bytes


def test_memory_that_is_only_kept_can_be_released(device: CudaDevice, clean: None) -> None:
    a = square(1024)
    before = torch.cuda.mem_get_info(0)[0]
    del a
    torch.zeros(64 << 20, device="cuda:0")
    assert device.release()
    assert torch.cuda.mem_get_info(0)[0] >= before


def test_what_nvml_tells_of_memory_is_there_or_has_a_reason(device: CudaDevice, clean: None) -> None:
    a = square(1024)
    seen = memory.peak(device, SimpleNamespace(calls=[lambda: a + a], resident_bytes=a.nbytes))  # type: ignore[arg-type]
    for name in ("process_peak_bytes", "device_used_bytes"):
        assert (getattr(seen, name) is None) == (name in seen.unavailable)


def test_a_snapshot_has_every_figure_or_its_reason(device: CudaDevice) -> None:
    seen = device.telemetry.snapshot()
    assert {*seen, *seen["unavailable"]} >= FIGURES.keys()
    assert all(reason for reason in seen["unavailable"].values())
    if device.telemetry.refusal is None and "memory_total_bytes" in seen and not device.telemetry.mig:
        total = torch.cuda.get_device_properties(0).total_memory
        assert seen["memory_total_bytes"] == pytest.approx(total, rel=0.1)  # the right GPU, by UUID


def test_the_gpu_has_ceilings(
    device: CudaDevice, clean: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    measured = ceilings.load_or_measure("cuda:0")
    assert set(measured.flops) == set(ceilings.DTYPES)
    assert all(rate > 0 for rate in measured.flops.values())
    sizes = [size for size, _ in measured.bandwidth]
    assert sizes == sorted(sizes)
    assert all(rate > 0 for _, rate in measured.bandwidth)
    assert ceilings.load_or_measure("cuda:0") == measured


def test_the_gpu_is_described(device: CudaDevice) -> None:
    here = capture("cuda:0")
    assert here.device_name == torch.cuda.get_device_name(0)
    assert here.device_uuid
    assert here.device_memory_bytes == torch.cuda.get_device_properties(0).total_memory
    assert (here.driver is None) == ("driver" in here.unavailable)
