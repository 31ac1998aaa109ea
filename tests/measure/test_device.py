"""Both devices: the real CPU, and CUDA against a fake of `torch.cuda` with a host and two streams."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tbench.errors import UsageError
from tbench.measure import machine
from tbench.measure.allocations import CpuWatch, CudaWatch
from tbench.measure.device import STRAY_SECONDS, CpuDevice, CudaDevice, no_garbage_collection, open_device, resolve
from tests.measure.fakes import FakeCuda


class NoTelemetry:
    def snapshot(self, names: Any = None) -> dict[str, Any]:
        return {"time": 0.0, "unavailable": dict.fromkeys(names or (), "not asked")}


@pytest.fixture
def cuda() -> FakeCuda:
    return FakeCuda()


@pytest.fixture
def device(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> CudaDevice:
    one = CudaDevice(0, SimpleNamespace(cuda=cuda, empty=torch.empty), NoTelemetry())  # type: ignore[arg-type]
    monkeypatch.setattr(one, "now", lambda: cuda.host)
    return one


# ---------------------------------------------------------------------- CPU


def test_the_cpu_counts_its_calls_and_has_no_host_time() -> None:
    calls: list[bool] = []
    seconds, host = CpuDevice().time(lambda: calls.append(gc.isenabled()), 7)
    assert calls == [False] * 7
    assert seconds > 0
    assert host is None
    assert gc.isenabled()


def test_the_cpu_flushes_more_than_the_last_level_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "last_level_cache_bytes", lambda: 1 << 16)
    device = CpuDevice()
    device.flush_cache()
    device.flush_cache()
    assert device._flushed.nbytes == 2 << 16
    assert bool((device._flushed == 1).all())


def test_the_cpu_tells_free_memory_and_has_no_telemetry() -> None:
    device = CpuDevice()
    assert 0 < device.free_bytes() <= machine.memory_bytes()
    assert device.snapshot() == {}
    assert isinstance(device.watch_memory(), CpuWatch)
    device.synchronize()
    assert device.now() <= device.now()


def test_garbage_collection_stays_off_where_it_was_off() -> None:
    gc.disable()
    try:
        with no_garbage_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


# ---------------------------------------------------------------------- CUDA


def test_events_give_the_time_of_the_device(cuda: FakeCuda, device: CudaDevice) -> None:
    seconds, host = device.time(lambda: cuda.launch(1e-3), 10)
    assert seconds == pytest.approx(1e-3, rel=2e-3)  # the first launch is seen, shared by ten calls
    assert host == pytest.approx(10e-6)


def test_a_tiny_kernel_takes_as_long_as_its_launch(cuda: FakeCuda, device: CudaDevice) -> None:
    seconds, host = device.time(lambda: cuda.launch(1e-6), 100)
    assert seconds == pytest.approx(10e-6, rel=0.01)
    assert host == pytest.approx(10e-6)


def test_work_left_on_another_stream_is_counted(cuda: FakeCuda, device: CudaDevice) -> None:
    seconds, _ = device.time(lambda: cuda.launch(2e-3, "other"), 5)
    assert seconds == pytest.approx(2e-3, rel=0.02)


def test_another_stream_that_ends_first_adds_nothing(cuda: FakeCuda, device: CudaDevice) -> None:
    def both() -> None:
        cuda.launch(1e-3, "other")
        cuda.launch(3e-3)

    alone, _ = device.time(lambda: cuda.launch(3e-3), 1)
    together, _ = device.time(both, 1)
    assert together == pytest.approx(alone + cuda.launch_seconds)


def test_waiting_for_an_idle_device_is_not_counted(cuda: FakeCuda, device: CudaDevice) -> None:
    cuda.idle_seconds = 100 * STRAY_SECONDS
    seconds, _ = device.time(lambda: cuda.launch(1e-3), 1)
    assert seconds == pytest.approx(1e-3, rel=0.02)


def test_a_cuda_device_is_made_current_and_tells_its_memory(cuda: FakeCuda, device: CudaDevice) -> None:
    assert cuda.log == ["set_device 0"]
    assert device.name == "cuda:0"
    assert device.free_bytes() == 3 << 30
    assert isinstance(device.watch_memory(), CudaWatch)
    assert set(device.snapshot()["unavailable"]) >= {"sm_clock_mhz", "energy_joules"}


def test_what_is_only_kept_goes_back_to_the_processes_beside(cuda: FakeCuda, device: CudaDevice) -> None:
    cuda.reserved, cuda.in_use = 5 << 20, 2 << 20
    assert device.release()
    assert cuda.reserved == 2 << 20
    assert not device.release()


def test_cuda_flushes_more_than_its_l2(device: CudaDevice) -> None:
    made: list[tuple[int, str]] = []

    def empty(count: int, device: str) -> torch.Tensor:
        made.append((count, device))
        return torch.empty(count)

    device.torch = SimpleNamespace(empty=empty)
    device.flush_cache()
    device.flush_cache()
    assert made == [(2 * (1 << 20) // 4, "cuda:0")]


def test_waiting_for_a_cuda_device_waits_for_both_streams(cuda: FakeCuda, device: CudaDevice) -> None:
    cuda.launch(1.0)
    cuda.launch(2.0, "other")
    device.synchronize()
    assert cuda.host >= 2.0


# ---------------------------------------------------------------------- names


def fake_torch(count: int, built_for: str | None = "13.0") -> Any:
    cuda = SimpleNamespace(
        is_available=lambda: count > 0, device_count=lambda: count, get_device_name=lambda index: f"GPU {index}"
    )
    return SimpleNamespace(cuda=cuda, version=SimpleNamespace(cuda=built_for, hip=None), __version__="2.13")


@pytest.mark.parametrize(
    ("text", "count", "name"),
    [
        ("cpu", 0, "cpu"),
        (" CPU ", 2, "cpu"),
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cuda", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_a_device_by_its_name(text: str, count: int, name: str) -> None:
    assert resolve(text, fake_torch(count)) == name


@pytest.mark.parametrize(
    ("text", "count", "built_for", "said"),
    [
        ("gpu", 1, "13.0", "write auto, cpu, cuda or cuda:N"),
        ("cuda:x", 1, "13.0", "write auto, cpu, cuda or cuda:N"),
        ("cuda:-1", 1, "13.0", "write auto, cpu, cuda or cuda:N"),
        ("cuda:2", 2, "13.0", "this machine has cuda:0 (GPU 0), cuda:1 (GPU 1)"),
        ("cuda", 0, None, "built without CUDA"),
        ("cuda:0", 0, "13.0", "check that nvidia-smi lists one"),
    ],
)
def test_a_device_that_is_not_there(text: str, count: int, built_for: str | None, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(text, fake_torch(count, built_for))
    assert said in str(refused.value)
    assert repr(text) in str(refused.value)


def test_the_cpu_is_opened_by_name() -> None:
    assert isinstance(open_device("cpu"), CpuDevice)
