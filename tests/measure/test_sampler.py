"""From calls to samples, on a clock that moves only when a call is run."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbench.measure.sampler import MOST_CALLS, WARM_BATCH_SECONDS, calibrate, launch_bound, take_turn, warm_up
from tbench.records import Sampling
from tests.measure.fakes import ScriptedDevice

HOT, COLD = Sampling(), Sampling(cache="cold")
ROUNDING = 1 + 1e-6


@settings(max_examples=50, deadline=None)
@given(st.floats(2e-6, 10.0))
def test_a_sample_is_long_enough_and_hardly_longer(cost: float) -> None:
    device = ScriptedDevice()
    calls = calibrate(device, device.spend(cost), HOT)
    assert calls * cost * ROUNDING >= device.sample_seconds
    assert calls == 1 or calls * cost <= 2 * device.sample_seconds + 2 * cost


def test_a_slow_call_is_timed_once_to_find_its_batch() -> None:
    device = ScriptedDevice()
    assert calibrate(device, device.spend(3.0), HOT) == 1
    assert device.log == ["time 1"]


def test_a_disturbed_batch_does_not_pass_for_a_slow_call() -> None:
    device = ScriptedDevice()
    calls = calibrate(device, device.spend(lambda now: 20e-6 if now else 5e-3), HOT)
    assert calls == 50


def test_the_batch_is_limited_where_the_clock_does_not_move() -> None:
    device = ScriptedDevice()
    assert calibrate(device, lambda: None, HOT) == MOST_CALLS


def test_a_cold_sample_is_one_call() -> None:
    device = ScriptedDevice()
    assert calibrate(device, device.spend(1e-6), COLD) == 1


@settings(max_examples=50, deadline=None)
@given(cost=st.floats(1e-5, 2.0), seconds=st.floats(0.0, 0.2))
def test_warming_up_takes_its_time_and_not_much_more(cost: float, seconds: float) -> None:
    device = ScriptedDevice()
    warm_up(device, device.spend(cost), seconds)
    assert device.clock >= seconds
    assert device.clock <= (seconds + max(cost, WARM_BATCH_SECONDS)) * ROUNDING
    assert "synchronize" in device.log


def test_warming_up_calls_at_least_once() -> None:
    device = ScriptedDevice()
    warm_up(device, device.spend(0.5), 0.0)
    assert device.clock == pytest.approx(0.5)


def test_samples_of_a_visit_are_per_call() -> None:
    device = ScriptedDevice()
    samples = take_turn(device, device.spend(1e-4), 10, 0.05, HOT)
    assert samples.seconds == pytest.approx((1e-4,) * len(samples.seconds))
    assert 45 <= len(samples.seconds) <= 51
    assert samples.host_seconds == ()
    assert samples.telemetry == {}


def test_the_first_fifth_of_a_visit_is_warm_up() -> None:
    device = ScriptedDevice()
    samples = take_turn(device, device.spend(lambda now: 3e-3 if now < 0.0085 else 1e-3), 1, 0.05, HOT)
    assert max(samples.seconds) == pytest.approx(1e-3)


def test_the_first_sample_of_a_visit_is_not_kept() -> None:
    device = ScriptedDevice()
    samples = take_turn(device, device.spend(lambda now: 0.02 if now < 0.02 else 0.01), 1, 0.05, HOT)
    assert samples.seconds == pytest.approx((0.01,) * 4)


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_a_call_longer_than_the_visit_is_its_one_sample(seconds: float) -> None:
    device = ScriptedDevice()
    samples = take_turn(device, device.spend(0.3), 1, seconds, HOT)
    assert samples.seconds == pytest.approx((0.3,))


@settings(max_examples=50, deadline=None)
@given(cost=st.floats(1e-4, 1.0), seconds=st.floats(0.0, 0.1))
def test_every_visit_brings_a_sample_and_ends(cost: float, seconds: float) -> None:
    device = ScriptedDevice()
    samples = take_turn(device, device.spend(cost), 1, seconds, HOT)
    assert samples.seconds == pytest.approx((cost,) * len(samples.seconds))
    assert len(samples.seconds) >= 1
    assert device.clock <= (1.2 * seconds + 2 * cost) * ROUNDING


def test_a_cold_cache_is_flushed_before_every_sample_and_the_flush_is_not_counted() -> None:
    device = ScriptedDevice(flush_seconds=7e-3)
    samples = take_turn(device, device.spend(1e-3), 1, 0.05, COLD)
    assert samples.seconds == pytest.approx((1e-3,) * len(samples.seconds))
    assert device.log == ["flush", "time 1"] * (len(device.log) // 2)


def test_a_hot_cache_is_never_flushed() -> None:
    device = ScriptedDevice()
    take_turn(device, device.spend(1e-3), 1, 0.02, HOT)
    assert "flush" not in device.log


@pytest.mark.parametrize(("host_share", "bound"), [(0.2, False), (0.95, True)])
def test_a_visit_on_a_gpu_tells_whether_the_host_sets_the_pace(host_share: float, bound: bool) -> None:
    device = ScriptedDevice(asynchronous=True, host_share=host_share)
    samples = take_turn(device, device.spend(1e-3), 1, 0.02, HOT)
    assert samples.host_seconds == pytest.approx((1e-3 * host_share,) * len(samples.seconds))
    assert samples.telemetry["launch_bound"] is bound


def test_a_visit_keeps_what_the_gpu_told_at_both_ends() -> None:
    device = ScriptedDevice(asynchronous=True)
    device.snapshots = iter(
        [{"time": 0.0, "sm_clock_mhz": 1900, "unavailable": {}}, {"time": 0.1, "sm_clock_mhz": 1500, "unavailable": {}}]
    )
    telemetry = take_turn(device, device.spend(1e-3), 1, 0.02, HOT).telemetry
    assert (telemetry["sm_clock_mhz_min"], telemetry["sm_clock_mhz_max"]) == (1500, 1900)


def test_one_slow_launch_does_not_make_a_kernel_launch_bound() -> None:
    assert not launch_bound([1e-3] * 3, [1e-5, 1e-5, 1.0])
    assert launch_bound([1e-5] * 3, [1e-5] * 3)
    assert not launch_bound([1e-3], [])
