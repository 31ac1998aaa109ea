"""The queue-ahead clock on a real GPU: against kernels of known length, the profiler, and what it must not hide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from tbench.errors import Unsupported
from tbench.execution.worker import Session
from tbench.measure import ahead
from tbench.measure.ahead import Pace
from tbench.measure.cuda import CudaDevice
from tbench.measure.device import open_device
from tbench.measure.sampler import Ring, Samples, calibrate
from tbench.records import Sampling
from tests.components.cases import attention

Call = Callable[[], Any]


@pytest.fixture
def device() -> Iterator[CudaDevice]:
    opened = open_device("cuda:0")
    assert isinstance(opened, CudaDevice)
    yield opened
    torch.cuda.set_stream(torch.cuda.default_stream())


def turn(device: CudaDevice, call: Call, asked: str = "ahead") -> Samples:
    ring = Ring([call])
    call()
    device.synchronize()
    pace = Pace(device, ring, calibrate(device, ring, Sampling()), asked)
    pace.settle()
    pace.turn(0.05, None, False, False)
    return pace.turn(0.1, None, False, False)


def middle(samples: Samples) -> float:
    ordered = sorted(samples.seconds)
    return ordered[len(ordered) // 2]


def by_the_profiler(device: CudaDevice, call: Call, calls: int = 50) -> float:
    """Seconds of the kernels of one call, the gaps between them not included."""
    with profile(activities=[ProfilerActivity.CUDA]) as recorded:
        for _ in range(calls):
            call()
        device.synchronize()
    events = recorded.events() or []
    return sum(event.device_time_total for event in events) * 1e-6 / calls


def test_a_spin_of_known_length_takes_that_long(device: CudaDevice) -> None:
    cycles = int(100e-6 * device.cycles_per_second)
    samples = turn(device, lambda: torch.cuda._sleep(cycles))
    assert samples.clock == "ahead", samples.why
    assert samples.sm_mhz is not None
    assert middle(samples) == pytest.approx(cycles / (samples.sm_mhz * 1e6), rel=0.02, abs=1e-6)


@pytest.mark.parametrize("side", [64, 512, 1024, 2048, 4096, 6144])
def test_six_kernels_take_what_the_profiler_says(device: CudaDevice, side: int) -> None:
    """From some microseconds to some milliseconds."""
    a = torch.randn(side, side, device="cuda:0", dtype=torch.bfloat16)
    out = torch.empty_like(a)
    samples = turn(device, lambda: torch.mm(a, a, out=out))
    assert samples.clock == "ahead", samples.why
    profiled = by_the_profiler(device, lambda: torch.mm(a, a, out=out))
    assert middle(samples) == pytest.approx(profiled, rel=0.02, abs=1.5e-6)  # a gap of a microsecond stays


def test_a_tiny_kernel_is_shorter_than_its_host(device: CudaDevice) -> None:
    a = torch.randn(8, 8, device="cuda:0")
    queued, eager = turn(device, lambda: a @ a), turn(device, lambda: a @ a, "eager")
    assert (queued.clock, eager.clock) == ("ahead", "eager")
    assert middle(queued) < middle(eager)
    assert queued.eager_seconds is not None
    assert middle(queued) < queued.eager_seconds


def test_work_left_on_another_stream_takes_the_clock_away(device: CudaDevice) -> None:
    a, other = torch.randn(4096, 4096, device="cuda:0"), torch.cuda.Stream()

    def elsewhere() -> None:
        with torch.cuda.stream(other):
            a @ a

    samples = turn(device, elsewhere)
    assert (samples.clock, samples.why) == ("eager", ahead.STRAY)


def test_a_call_that_waits_is_told(device: CudaDevice) -> None:
    a = torch.randn(64, device="cuda:0")
    samples = turn(device, lambda: a.sum().item())
    assert samples.clock == "eager"
    assert samples.why in (ahead.WAITS, ahead.WAITS_OR_MANY)


def worker(launch: str, **given: Any) -> Session:
    case = attention(device="cuda:0", dtype="bfloat16", head_dim=64, seq_len=512, **given)
    session = Session()
    session.prepare(case, Sampling(launch=launch, turn_time=0.02), 1, None, True)  # type: ignore[arg-type]
    return session


@pytest.mark.parametrize("kernel", ["naive", "flash", "chunked"])
@pytest.mark.parametrize("phase", ["forward", "forward_backward"])
def test_a_replayed_graph_is_right_and_no_slower(device: CudaDevice, kernel: str, phase: str) -> None:
    given = {"kernel": kernel, "phase": phase} | ({"pattern": "window:64"} if kernel == "chunked" else {})
    try:
        graph = worker("graph", **given)
    except Unsupported as refused:
        pytest.skip(str(refused))
    replayed = graph.turn(0, 0, 0.05, witness=True)
    queued = worker("ahead", **given).turn(0, 0, 0.05, witness=True)
    assert (replayed.clock, queued.clock) == ("graph", "ahead")
    assert min(replayed.seconds) <= 1.1 * min(queued.seconds)
    graph.finish(weigh=True)


@pytest.mark.parametrize("megabytes", [4, 64, 256])
def test_a_cold_cache_is_never_faster_than_a_hot_one(device: CudaDevice, megabytes: int) -> None:
    seq_len = megabytes * 2**20 // (2 * 2 * 16 * 64)
    times = {}
    for cache in ("hot", "cold"):
        sizes = {"batch": 1, "heads": 16, "kv_heads": 16, "head_dim": 64, "seq_len": seq_len}
        case = attention("flash", device="cuda:0", dtype="bfloat16", phase="decode", **sizes)
        session = Session()
        session.prepare(case, Sampling(cache=cache), 1, None, True)  # type: ignore[arg-type]
        times[cache] = min(session.turn(0, 0, 0.1).seconds)
        session.workload.close()
        del session
        torch.cuda.empty_cache()
    assert times["cold"] >= 0.99 * times["hot"]
