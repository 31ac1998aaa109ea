"""Both devices: the real CPU, and CUDA against a fake of `torch.cuda` with a host and two streams."""

from __future__ import annotations

import gc
import hashlib
import mmap
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from tbench.errors import UsageError
from tbench.measure import allocator, machine
from tbench.measure import device as device_module
from tbench.measure.allocations import CpuWatch, CudaWatch
from tbench.measure.cuda import UNKNOWN_CACHE_BYTES, CudaDevice
from tbench.measure.device import LONGEST_REST, REST_STEP, CpuDevice, open_device, resolve, running
from tbench.measure.timed import STRAY_SECONDS, no_garbage_collection
from tests.measure.fakes import FakeCuda


class NoTelemetry:
    def snapshot(self, names: Any = None) -> dict[str, Any]:
        return {"time": 0.0, "unavailable": dict.fromkeys(names or (), "not asked")}


@pytest.fixture
def cuda() -> FakeCuda:
    return FakeCuda()


@pytest.fixture
def device(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> CudaDevice:
    one = CudaDevice(0, SimpleNamespace(cuda=cuda), NoTelemetry())  # type: ignore[arg-type]
    monkeypatch.setattr(one, "now", lambda: cuda.host)
    return one


# ---------------------------------------------------------------------- CPU


def test_the_cpu_counts_its_calls_and_has_no_host_time() -> None:
    calls: list[bool] = []

    def call() -> int:
        calls.append(gc.isenabled())
        return len(calls)

    timed = CpuDevice().time(call, 7)
    assert calls == [False] * 7
    assert timed.seconds > 0
    assert timed.host_seconds is None
    assert timed.result == 7
    assert gc.isenabled()


def test_a_last_level_cache_of_unknown_size_is_taken_for_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "last_level_cache_bytes", lambda: 1 << 16)
    assert CpuDevice().cache_bytes() == 1 << 16
    monkeypatch.setattr(machine, "last_level_cache_bytes", lambda: None)
    assert CpuDevice().cache_bytes() == UNKNOWN_CACHE_BYTES


def touch_fresh_pages() -> None:
    with mmap.mmap(-1, 64 * mmap.PAGESIZE) as fresh:
        if hasattr(mmap, "MADV_NOHUGEPAGE"):
            fresh.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range(64):
            fresh[page * mmap.PAGESIZE] = 1


def test_page_faults_of_all_calls_are_counted() -> None:
    timed = CpuDevice().time(touch_fresh_pages, 3)
    assert timed.faults is not None
    assert timed.faults >= 3 * 64
    assert timed.faults < 2 * 3 * 64


def test_work_that_goes_on_after_the_call_has_returned_is_part_of_its_sample() -> None:
    """Compared with the processor time of the work itself, which takes at least as long wherever it runs."""
    device = CpuDevice()
    device.know_threads()
    threads: list[threading.Thread] = []
    spent: list[float] = []

    def work() -> None:
        began = time.thread_time()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 100_000)  # one call, without Python's lock
        spent.append(time.thread_time() - began)

    def leaves_work_behind() -> None:
        threads.append(threading.Thread(target=work))
        threads[-1].start()

    timed = device.time(leaves_work_behind, 1)
    threads[0].join()
    assert timed.seconds >= 0.8 * spent[0]


def test_threads_that_sleep_and_threads_that_are_known_are_not_waited_for() -> None:
    device, end = CpuDevice(), threading.Event()
    device.know_threads()
    sleeping = threading.Thread(target=end.wait)
    sleeping.start()
    try:
        assert device.foreign() == [str(sleeping.native_id)]
        assert not running(["0"])  # no such thread any more
        while running(device.foreign()):  # it is about to fall asleep
            time.sleep(1e-3)
        assert device.stray() == 0
        device.know_threads()
        assert device.foreign() == []
    finally:
        end.set()
        sleeping.join()


@pytest.mark.parametrize(("busy", "looks"), [(0, 1), (5, 6), (10**9, LONGEST_REST / REST_STEP)])
def test_a_process_rests_until_its_threads_are_quiet_or_it_is_too_long(
    busy: int, looks: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a scripted clock: threads compute during the first `busy` steps."""
    clock, steps = [0.0], [0]

    def step(seconds: float) -> None:
        clock[0] += seconds
        steps[0] += 1

    monkeypatch.setattr(device_module, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(device_module, "sleep", step)
    monkeypatch.setattr(device_module, "process_time", lambda: REST_STEP * min(steps[0], busy))
    CpuDevice().rest()
    assert steps[0] == pytest.approx(looks, abs=1 if busy > looks else 0)


def test_memory_that_is_only_kept_is_given_back_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(allocator, "give_back", lambda: not asked.append(True))
    assert not CpuDevice().release()
    assert not asked
    assert CpuDevice(crowded=True).release()
    assert asked


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
    seconds, host, *_ = device.time(lambda: cuda.launch(1e-3), 10)
    assert seconds == pytest.approx(1e-3, rel=2e-3)  # the first launch is seen, shared by ten calls
    assert host == pytest.approx(10e-6)


def test_a_tiny_kernel_takes_as_long_as_its_launch(cuda: FakeCuda, device: CudaDevice) -> None:
    seconds, host, *_ = device.time(lambda: cuda.launch(1e-6), 100)
    assert seconds == pytest.approx(10e-6, rel=0.01)
    assert host == pytest.approx(10e-6)


def test_work_left_on_another_stream_is_counted(cuda: FakeCuda, device: CudaDevice) -> None:
    assert device.time(lambda: cuda.launch(2e-3, "other"), 5).seconds == pytest.approx(2e-3, rel=0.02)


def test_another_stream_that_ends_first_adds_nothing(cuda: FakeCuda, device: CudaDevice) -> None:
    def both() -> None:
        cuda.launch(1e-3, "other")
        cuda.launch(3e-3)

    alone = device.time(lambda: cuda.launch(3e-3), 1).seconds
    together = device.time(both, 1).seconds
    assert together == pytest.approx(alone + cuda.launch_seconds)


def test_waiting_for_an_idle_device_is_not_counted(cuda: FakeCuda, device: CudaDevice) -> None:
    cuda.idle_seconds = 100 * STRAY_SECONDS
    assert device.time(lambda: cuda.launch(1e-3), 1).seconds == pytest.approx(1e-3, rel=0.02)


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


def test_cuda_tells_the_size_of_its_l2(device: CudaDevice) -> None:
    assert device.cache_bytes() == 1 << 20
    device.properties = SimpleNamespace(L2_cache_size=0)
    assert device.cache_bytes() == UNKNOWN_CACHE_BYTES


def test_a_sample_of_cuda_has_the_last_result_and_no_page_faults(cuda: FakeCuda, device: CudaDevice) -> None:
    results = iter(range(3))

    def call() -> int:
        cuda.launch(1e-3)
        return next(results)

    timed = device.time(call, 3)
    assert (timed.faults, timed.result) == (None, 2)


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
