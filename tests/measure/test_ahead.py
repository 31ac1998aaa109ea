"""The queue-ahead clock, on the fake device: a host of any speed, two streams, a queue that can be full."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbench.measure import ahead
from tbench.measure.ahead import Pace, timed
from tbench.measure.ceilings import shortest
from tbench.measure.cuda import LONGEST_SPIN, CudaDevice
from tbench.measure.sampler import Ring, Samples, calibrate
from tbench.records import Sampling
from tests.measure.fakes import FakeCuda

Body = Callable[[FakeCuda], Any]
TURN = 0.015


class NoTelemetry:
    def snapshot(self, names: Any = None) -> dict[str, Any]:
        return {}


def opened(cuda: FakeCuda) -> CudaDevice:
    device = CudaDevice(0, SimpleNamespace(cuda=cuda), NoTelemetry())  # type: ignore[arg-type]
    device.now = lambda: cuda.host  # type: ignore[method-assign]
    return device


def paced(cuda: FakeCuda, body: Body, asked: str = "ahead") -> Pace:
    """As a worker finds it, for a call that does `body`."""
    device = opened(cuda)
    ring = Ring([lambda: body(cuda)])
    pace = Pace(device, ring, calibrate(device, ring, Sampling()), asked)
    pace.settle()
    return pace


def turns(pace: Pace, count: int = 3) -> list[Samples]:
    return [pace.turn(TURN, None, False, False) for _ in range(count)]


def kernels(*seconds: float) -> Body:
    def body(cuda: FakeCuda) -> None:
        for one in seconds:
            cuda.launch(one)

    return body


def two_speeds(seed: int, fast: float, slow: float) -> Callable[[], float]:
    """What a launch costs on a virtual machine whose host has one of two speeds for long spells, and jitters."""
    chance, now, left = random.Random(seed), fast, 0

    def cost() -> float:
        nonlocal now, left
        if not left:
            now, left = chance.choice((fast, slow)), chance.randint(200, 4000)
        left -= 1
        return now * chance.uniform(0.95, 1.1)

    return cost


@settings(max_examples=15, deadline=None)
@given(
    kernel=st.floats(1e-6, 3e-3),
    launches=st.integers(1, 30),
    fast=st.floats(2e-6, 60e-6),
    slower=st.floats(1.0, 3.0),
    seed=st.integers(0, 99),
)
def test_kept_samples_are_the_devices_time_whatever_the_host_does(
    kernel: float, launches: int, fast: float, slower: float, seed: int
) -> None:
    cuda = FakeCuda(two_speeds(seed, fast, fast * slower))
    for samples in turns(paced(cuda, kernels(*[kernel] * launches))):
        assert samples.clock == "ahead"
        assert samples.seconds == pytest.approx((kernel * launches,) * len(samples.seconds), rel=1e-6)
        assert samples.eager_seconds is not None
        assert samples.eager_seconds >= kernel * launches * (1 - 1e-9)


@settings(max_examples=15, deadline=None)
@given(stall=st.floats(0.0, 0.05), every=st.integers(1, 400), kernel=st.floats(1e-6, 1e-3), seed=st.integers(0, 99))
def test_a_sample_in_which_the_host_was_in_the_way_is_never_kept(
    stall: float, every: int, kernel: float, seed: int
) -> None:
    """A host that is sometimes stalled for longer than any spin lasts."""
    chance = random.Random(seed)
    cuda = FakeCuda(lambda: 10e-6 + (stall if chance.randrange(every) == 0 else 0.0))
    for samples in turns(paced(cuda, kernels(kernel))):
        if samples.clock == "ahead":
            assert samples.seconds == pytest.approx((kernel,) * len(samples.seconds), rel=1e-6)
        else:
            assert samples.why


def test_a_plain_clock_has_the_host_in_all_of_them() -> None:
    """What the queue is for: the same kernels, the same host."""
    cuda = FakeCuda(20e-6)
    (samples,) = turns(paced(cuda, kernels(8e-6), asked="eager"), 1)
    assert samples.clock == "eager"
    assert samples.why == ""
    assert min(samples.seconds) > 2 * 8e-6
    assert samples.telemetry["launch_bound"] is True


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (lambda cuda: (cuda.launch(5e-6), cuda.synchronize()), ahead.WAITS),
        (lambda cuda: (cuda.launch(5e-6), cuda.synchronize(), cuda.launch(50e-6)), ahead.WAITS),
        (kernels(*[1e-6] * 1500), ahead.WAITS_OR_MANY),
        (lambda cuda: cuda.launch(2e-3, "other"), ahead.STRAY),
        (lambda cuda: (cuda.launch(30e-6), cuda.launch(80e-6, "other")), ahead.STRAY),
        (lambda cuda: cuda.launch(8e-6, "other"), ahead.ELSEWHERE),
        (lambda cuda: joined(cuda, 3e-3), ahead.HIDDEN),
    ],
)
def test_what_cannot_be_queued_ahead_keeps_the_plain_clock_and_the_reason(body: Body, why: str) -> None:
    (samples,) = turns(paced(FakeCuda(10e-6), body), 1)
    assert (samples.clock, samples.why) == ("eager", why)
    assert samples.eager_seconds is None


def joined(cuda: FakeCuda, seconds: float, waits: bool = False) -> None:
    """Some work on a stream of its own, which may wait for what was there before, and is waited for."""
    if waits:
        cuda.wait("other", "current")
    cuda.launch(seconds, "other")
    cuda.wait("current", "other")
    cuda.launch(20e-6)


def test_work_on_another_stream_that_is_waited_for_is_in_the_times_whether_or_not_it_waits_itself() -> None:
    (hidden,) = turns(paced(FakeCuda(10e-6), lambda cuda: joined(cuda, 3e-3)), 1)
    assert (hidden.clock, hidden.why) == ("eager", ahead.HIDDEN)
    assert min(hidden.seconds) >= 3e-3
    (fair,) = turns(paced(FakeCuda(10e-6), lambda cuda: joined(cuda, 3e-3, waits=True)), 1)
    assert fair.clock == "ahead"
    assert fair.seconds == pytest.approx((3.02e-3,) * len(fair.seconds), rel=1e-3)


def test_work_that_moves_to_a_hidden_stream_later_takes_the_clock_with_it() -> None:
    waits = [True]
    pace = paced(FakeCuda(10e-6), lambda cuda: joined(cuda, 3e-3, waits[0]))
    assert pace.turn(TURN, None, False, False).clock == "ahead"
    waits[0] = False
    assert pace.turn(TURN, None, False, False).why == ahead.HIDDEN


def test_no_clock_is_told_where_a_launch_was_longer_than_its_cover() -> None:
    (samples,) = turns(paced(FakeCuda(70e-6), kernels(1e-3)), 1)
    assert samples.clock == "ahead" and samples.sm_mhz is None


def test_a_host_too_slow_for_any_spin_is_told() -> None:
    (samples,) = turns(paced(FakeCuda(1.5 * LONGEST_SPIN), kernels(1e-3)), 1)
    assert (samples.clock, samples.why) == ("eager", ahead.WAITS_OR_SLOW)


def test_work_on_another_stream_is_in_the_sample_that_is_kept() -> None:
    (samples,) = turns(paced(FakeCuda(10e-6), lambda cuda: cuda.launch(2e-3, "other")), 1)
    assert min(samples.seconds) == pytest.approx(2e-3, rel=0.02)


def test_work_that_another_stream_ends_first_costs_nothing_and_no_clock() -> None:
    (samples,) = turns(paced(FakeCuda(10e-6), lambda cuda: (cuda.launch(50e-6, "other"), cuda.launch(3e-3))), 1)
    assert samples.clock == "ahead"
    assert samples.seconds == pytest.approx((3e-3,) * len(samples.seconds))


def test_work_that_moves_to_another_stream_later_takes_the_clock_with_it() -> None:
    """Every turn asks again: a kernel may change its mind."""
    where = ["current"]
    pace = paced(FakeCuda(10e-6), lambda cuda: cuda.launch(1e-3, where[0]))
    assert pace.turn(TURN, None, False, False).clock == "ahead"
    where[0] = "other"
    later = pace.turn(TURN, None, False, False)
    assert (later.clock, later.why) == ("eager", ahead.STRAY)
    assert min(later.seconds) == pytest.approx(1e-3, rel=0.05)


def test_a_queue_that_is_nearly_full_gets_fewer_calls() -> None:
    """Of 400 launches each, two calls fit."""
    pace = paced(FakeCuda(2e-6), kernels(*[1e-6] * 400))
    (samples,) = turns(pace, 1)
    assert pace.calls <= 2
    assert samples.clock == "ahead"
    assert samples.seconds == pytest.approx((400e-6,) * len(samples.seconds))


def test_a_short_kernel_gets_more_calls_than_the_hosts_time_suggests() -> None:
    pace = paced(FakeCuda(20e-6), kernels(8e-6))
    assert pace.calls * 8e-6 >= 0.5e-3


def test_slow_calls_are_queued_without_settling_and_their_witness_is_the_plain_sample() -> None:
    cuda = FakeCuda(40e-6)
    device, made = opened(cuda), [0]

    def call() -> int:
        made[0] += 1
        cuda.launch(0.4)
        return made[0]

    seen: list[Any] = []
    judge = SimpleNamespace(expect=lambda index: None, compare=seen.append)
    samples = Pace(device, Ring([call]), 1, "ahead").turn(0.1, judge, True, False)
    assert seen == [1]
    assert samples.seconds == pytest.approx((0.4,))
    assert samples.eager_seconds == pytest.approx(0.4, rel=1e-3)
    assert made == [2]


def test_slow_calls_that_wait_for_the_device_are_tried_twice_and_no_more() -> None:
    cuda = FakeCuda(40e-6)
    made = [0]

    def call() -> None:
        made[0] += 1
        cuda.launch(0.4)
        cuda.synchronize()

    samples = Pace(opened(cuda), Ring([call]), 1, "ahead").turn(0.1, None, True, False)
    assert (samples.clock, samples.why) == ("eager", ahead.WAITS_OR_SLOW)
    assert made[0] <= 5


@pytest.mark.parametrize("hz", [1.2e9, 1.98e9])
def test_the_spin_tells_the_clock_of_every_sample(hz: float) -> None:
    (samples,) = turns(paced(FakeCuda(hz=hz), kernels(1e-3)), 1)
    assert samples.sm_mhz == pytest.approx(hz * 1e-6, rel=0.01)


def test_a_clock_that_falls_is_seen_and_the_spin_still_long_enough() -> None:
    cuda = FakeCuda(20e-6, hz=1.98e9)
    pace = paced(cuda, kernels(8e-6))
    cuda.hz = 1.2e9
    samples = pace.turn(TURN, None, False, False)
    assert samples.clock == "ahead"
    assert samples.sm_mhz == pytest.approx(1200, rel=0.01)


def test_ceilings_and_injections_are_timed_by_the_same_clock() -> None:
    cuda = FakeCuda(20e-6)
    assert timed(opened(cuda), lambda: cuda.launch(8e-6), 10) == pytest.approx(8e-6)
    assert shortest(opened(cuda), lambda: cuda.launch(8e-6), 0.05) == pytest.approx(8e-6, rel=1e-3)


@pytest.mark.parametrize("host", [5e-6, 20e-6, 60e-6])
@pytest.mark.parametrize("size", [1, 10, 100])
def test_cold_is_never_faster_than_hot_whatever_the_host(host: float, size: int) -> None:
    """Four sets of inputs: a cache that holds `size` of them makes a call twice as fast on what it holds."""

    def measured(sets: int) -> float:
        cuda = FakeCuda(host)
        held: list[int] = []

        def call(index: int) -> None:
            cuda.launch(5e-6 if index in held else 10e-6)
            if index in held:
                held.remove(index)
            held.append(index)
            del held[:-size]

        device = opened(cuda)
        ring = Ring([lambda index=index: call(index) for index in range(sets)])  # type: ignore[misc]
        pace = Pace(device, ring, calibrate(device, ring, Sampling()), "ahead")
        pace.settle()
        (samples,) = turns(pace, 1)
        assert samples.clock == "ahead"
        return min(samples.seconds)

    hot, cold = measured(1), measured(2 * size)
    assert cold >= hot * (1 - 1e-9)
    assert cold == pytest.approx(2 * hot)
