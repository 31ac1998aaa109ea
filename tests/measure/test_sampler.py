"""From calls to samples, on a clock that moves only when a call is run."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbench.measure.sampler import (
    LONGEST_FRESH,
    MOST_CALLS,
    REMEMBERS,
    REWARM_SECONDS,
    WARM_BATCH_SECONDS,
    Ring,
    calibrate,
    launch_bound,
    remembering,
    take_turn,
    warm_up,
)
from tbench.measure.timed import Call, Timed
from tbench.records import Sampling
from tests.measure.fakes import ScriptedDevice

USUAL = Sampling()
ROUNDING = 1 + 1e-6


@settings(max_examples=50, deadline=None)
@given(st.floats(2e-6, 10.0))
def test_a_sample_is_long_enough_and_hardly_longer(cost: float) -> None:
    device = ScriptedDevice()
    calls = calibrate(device, Ring([device.spend(cost)]), USUAL)
    assert calls * cost * ROUNDING >= device.sample_seconds
    assert calls == 1 or calls * cost <= 2 * device.sample_seconds + 2 * cost


def test_a_slow_call_is_timed_once_to_find_its_batch() -> None:
    device = ScriptedDevice()
    assert calibrate(device, Ring([device.spend(3.0)]), USUAL) == 1
    assert device.log == ["time 1"]


def test_a_disturbed_batch_does_not_pass_for_a_slow_call() -> None:
    device = ScriptedDevice()
    calls = calibrate(device, Ring([device.spend(lambda now: 20e-6 if now else 5e-3)]), USUAL)
    assert calls == 50


def test_the_batch_is_limited_where_the_clock_does_not_move() -> None:
    device = ScriptedDevice()
    assert calibrate(device, Ring([lambda: None]), USUAL) == MOST_CALLS


def test_a_call_that_needs_fresh_inputs_comes_once_for_each_set_at_most() -> None:
    device = ScriptedDevice()
    assert calibrate(device, Ring([device.spend(1e-6)] * 5, once=True), USUAL) == 5


@settings(max_examples=50, deadline=None)
@given(cost=st.floats(1e-5, 2.0), seconds=st.floats(0.0, 0.2))
def test_warming_up_takes_its_time_and_not_much_more(cost: float, seconds: float) -> None:
    device = ScriptedDevice()
    warm_up(device, Ring([device.spend(cost)]), seconds)
    assert device.clock >= seconds
    assert device.clock <= (seconds + max(cost, WARM_BATCH_SECONDS)) * ROUNDING
    assert "synchronize" in device.log


def test_warming_up_calls_at_least_once() -> None:
    device = ScriptedDevice()
    warm_up(device, Ring([device.spend(0.5)]), 0.0)
    assert device.clock == pytest.approx(0.5)


def test_samples_of_a_visit_are_per_call() -> None:
    device = ScriptedDevice()
    samples = take_turn(device, Ring([device.spend(1e-4)]), 10, 0.05)
    assert samples.seconds == pytest.approx((1e-4,) * len(samples.seconds))
    assert 45 <= len(samples.seconds) <= 51
    assert samples.host_seconds == ()
    assert samples.telemetry == {}


def test_the_first_fifth_of_a_visit_is_warm_up() -> None:
    device = ScriptedDevice()
    samples = take_turn(device, Ring([device.spend(lambda now: 3e-3 if now < 0.0085 else 1e-3)]), 1, 0.05)
    assert max(samples.seconds) == pytest.approx(1e-3)


def test_the_first_sample_of_a_visit_is_not_kept() -> None:
    device = ScriptedDevice()
    samples = take_turn(device, Ring([device.spend(lambda now: 0.02 if now < 0.02 else 0.01)]), 1, 0.05)
    assert samples.seconds == pytest.approx((0.01,) * 4)


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_a_call_longer_than_the_visit_is_its_one_sample(seconds: float) -> None:
    device = ScriptedDevice()
    samples = take_turn(device, Ring([device.spend(0.3)]), 1, seconds)
    assert samples.seconds == pytest.approx((0.3,))


@settings(max_examples=50, deadline=None)
@given(cost=st.floats(1e-4, 1.0), seconds=st.floats(0.0, 0.1))
def test_every_visit_brings_a_sample_and_ends(cost: float, seconds: float) -> None:
    device = ScriptedDevice()
    samples = take_turn(device, Ring([device.spend(cost)]), 1, seconds)
    assert samples.seconds == pytest.approx((cost,) * len(samples.seconds))
    assert len(samples.seconds) >= 1
    assert device.clock <= (seconds + REWARM_SECONDS + 2 * cost) * ROUNDING


@pytest.mark.parametrize(("host_share", "bound"), [(0.2, False), (0.95, True)])
def test_a_visit_on_a_gpu_tells_whether_the_host_sets_the_pace(host_share: float, bound: bool) -> None:
    device = ScriptedDevice(asynchronous=True, host_share=host_share)
    samples = take_turn(device, Ring([device.spend(1e-3)]), 1, 0.02)
    assert samples.host_seconds == pytest.approx((1e-3 * host_share,) * len(samples.seconds))
    assert samples.telemetry["launch_bound"] is bound


def test_a_visit_keeps_what_the_gpu_told_at_both_ends() -> None:
    device = ScriptedDevice(asynchronous=True)
    device.snapshots = iter(
        [{"time": 0.0, "sm_clock_mhz": 1900, "unavailable": {}}, {"time": 0.1, "sm_clock_mhz": 1500, "unavailable": {}}]
    )
    telemetry = take_turn(device, Ring([device.spend(1e-3)]), 1, 0.02).telemetry
    assert (telemetry["sm_clock_mhz_min"], telemetry["sm_clock_mhz_max"]) == (1500, 1900)


def test_one_slow_launch_does_not_make_a_kernel_launch_bound() -> None:
    assert not launch_bound([1e-3] * 3, [1e-5, 1e-5, 1.0])
    assert launch_bound([1e-5] * 3, [1e-5] * 3)
    assert not launch_bound([1e-3], [])


def test_page_faults_of_a_visit_are_per_call() -> None:
    device = ScriptedDevice(faults=3)
    assert take_turn(device, Ring([device.spend(1e-3)]), 10, 0.02).faults == 3
    assert take_turn(ScriptedDevice(), Ring([lambda: None]), 10, 0.0).faults is None


# ---------------------------------------------------------------------- several sets of inputs


class Asks:
    """A judge who notes what it is shown."""

    def __init__(self, expect: Callable[[int], None], compare: Callable[[], None] = lambda: None) -> None:
        self.expect, self.then = expect, compare
        self.compared: list[Any] = []

    def compare(self, results: Any) -> None:
        self.compared.append(results)
        self.then()


class Sets:
    """Calls that say which set they are of, and what became of the sets, in order: `c2`, `n2` for a nudge."""

    def __init__(self, device: ScriptedDevice, sets: int, seconds: float = 1e-3) -> None:
        self.device, self.seconds = device, seconds
        self.log: list[str] = []
        self.calls = [self.call(index) for index in range(sets)]

    def call(self, index: int) -> Callable[[], int]:
        def called() -> int:
            self.log.append(f"c{index}")
            self.device.clock += self.seconds
            return index

        return called

    def nudge(self, index: int) -> None:
        self.log.append(f"n{index}")

    def ring(self, once: bool = False) -> Ring:
        return Ring(self.calls, self.nudge, once)

    def taken(self) -> list[str]:
        """What happened since the last time it was asked."""
        log, self.log = self.log, []
        return log


@given(sets=st.integers(1, 7), samples=st.lists(st.integers(1, 20), max_size=6))
def test_calls_go_through_the_sets_in_turn_whatever_the_samples(sets: int, samples: list[int]) -> None:
    ring = Ring([lambda index=index: index for index in range(sets)])
    seen: list[Any] = []
    for calls in samples:
        expected_last = ring.last(calls)
        fn = ring.take(calls)
        seen += [fn() for _ in range(calls)]
        assert seen[-1] == expected_last
        assert ring.position == len(seen) % sets
    assert seen == list(itertools.islice(itertools.cycle(range(sets)), len(seen)))


def test_many_sets_change_between_samples_where_a_sample_is_one_time_round_at_most() -> None:
    sets = Sets(ScriptedDevice(), 5)
    ring = sets.ring()
    ring.take(2)
    assert sets.taken() == ["n0", "n1", "c4"]  # the set used last has everything else warm
    ring.take(4)
    assert sets.taken() == ["n2", "n3", "n4", "n0", "c1"]
    ring.take(6)  # a set is met twice inside the sample, where nothing can change it
    assert sets.taken() == []
    ring.take(1, nudge=False)
    assert sets.taken() == []


def test_few_sets_change_before_single_calls_only_and_one_set_before_every_sample() -> None:
    few, one = Sets(ScriptedDevice(), 3), Sets(ScriptedDevice(), 1)
    for ring, sets, calls, changed in (
        (few.ring(), few, 1, ["n0"]),
        (few.ring(), few, 2, []),
        (one.ring(), one, 1, ["n0"]),
        (one.ring(), one, 9, ["n0", "c0"]),
    ):
        ring.take(calls)
        assert sets.taken() == changed


def test_a_sample_of_calls_that_write_over_their_inputs_is_one_time_round() -> None:
    assert Ring([lambda: None] * 4, once=True).most == 4
    assert Ring([lambda: None] * 4).most == MOST_CALLS


@pytest.mark.parametrize("calls", [1, 2, 3, 7])
def test_a_witness_is_the_last_call_of_a_further_sample_on_the_set_that_was_prepared(calls: int) -> None:
    device = ScriptedDevice()
    sets = Sets(device, 3)

    def prepare(index: int) -> None:
        sets.log.append(f"p{index}")
        device.clock += 1.0

    judge = Asks(prepare)
    samples = take_turn(device, sets.ring(), calls, 0.02, judge)
    at = next(place for place, what in enumerate(sets.log) if what.startswith("p"))
    index, after = sets.log[at][1:], sets.log[at + 1 :]
    assert len(after) == calls  # and no nudge: what was worked out beforehand must hold
    assert after[-1] == f"c{index}"
    assert judge.compared == [int(index)]
    assert len(samples.seconds) < device.log.count(f"time {calls}")
    assert samples.seconds == pytest.approx((sets.seconds,) * len(samples.seconds))


def test_the_sample_with_the_witness_is_not_among_the_samples() -> None:
    device = ScriptedDevice()
    slow: list[int] = []
    ring = Ring([device.spend(lambda _: 5e-3 if slow else 1e-3)])
    samples = take_turn(device, ring, 1, 0.02, Asks(slow.append))
    assert slow == [0]
    assert max(samples.seconds) == pytest.approx(1e-3)


def test_without_a_question_there_is_no_witness_and_no_further_sample() -> None:
    device = ScriptedDevice()
    sets = Sets(device, 3)
    take_turn(device, sets.ring(), 1, 0.0)
    assert sets.taken() == ["n0", "c0"]


# ---------------------------------------------------------------------- what remembers its results


class Memo:
    """Calls that take `hit` seconds where their set is as the last time, and `miss` where it has changed."""

    def __init__(self, device: ScriptedDevice, sets: int, miss: float, hit: float) -> None:
        self.device, self.miss, self.hit = device, miss, hit
        self.known: set[int] = set()
        self.ring = Ring([self.call(index) for index in range(sets)], self.known.discard)

    def call(self, index: int) -> Callable[[], None]:
        def called() -> None:
            self.device.clock += self.hit if index in self.known else self.miss
            self.known.add(index)

        return called


@pytest.mark.parametrize(("sets", "calls"), [(2, 1), (2, 50), (3, 1), (3, 3), (3, 50), (8, 9), (8, 500)])
def test_a_call_that_knows_its_inputs_again_is_told(sets: int, calls: int) -> None:
    device = ScriptedDevice()
    times = remembering(device, Memo(device, sets, miss=100e-6, hit=10e-6).ring, calls, 10e-6)
    assert times == pytest.approx(10.0)
    assert times > REMEMBERS


def test_an_honest_call_takes_as_long_on_data_it_has_just_seen() -> None:
    device = ScriptedDevice()
    for hit in (100e-6, 95e-6, 70e-6):
        assert remembering(device, Memo(device, 3, miss=100e-6, hit=hit).ring, 10, hit) is None


@pytest.mark.parametrize("seed", range(10))
def test_load_by_others_does_not_make_an_honest_call_look_as_if_it_remembered(seed: int) -> None:
    """Every other call is disturbed, by up to fifty times its own length."""
    device, chance = ScriptedDevice(), random.Random(seed)
    call = device.spend(lambda _: 100e-6 + (chance.random() < 0.5) * chance.uniform(0.0, 5e-3))
    assert remembering(device, Ring([call] * 3), 10, 100e-6) is None


def test_what_saves_less_than_the_clock_is_worth_is_not_told() -> None:
    device = ScriptedDevice()
    assert remembering(device, Memo(device, 3, miss=1.5e-6, hit=0.5e-6).ring, 50, 0.5e-6) is None


@pytest.mark.parametrize(
    ("sets", "calls", "fastest"),
    [
        pytest.param(3, 1, 2 * LONGEST_FRESH, id="slow calls, before each of which data change anyway"),
        pytest.param(8, 8, 1e-6, id="so many sets that none is used twice in a sample"),
    ],
)
def test_where_nothing_could_be_remembered_nothing_is_asked(sets: int, calls: int, fastest: float) -> None:
    device = ScriptedDevice()
    assert remembering(device, Memo(device, sets, miss=100e-6, hit=1e-6).ring, calls, fastest) is None
    assert device.log == []


def test_data_change_in_both_kinds_of_tries_alike() -> None:
    """What a nudge costs the next calls (a cold cache for one) must not pass for a result that was remembered."""
    device = ScriptedDevice()
    sets = Sets(device, 3)
    remembering(device, sets.ring(), 10, 1e-3)
    first = "".join(sets.log[: 2 * (2 + 3 + 2)])
    assert first == "n1n2" + "c0c0c0" + "c1c2" + "n0n0" + "c0c0c0" + "c1c2"


def test_of_slow_calls_the_first_sample_is_the_witness_and_is_kept() -> None:
    device = ScriptedDevice()
    sets = Sets(device, 3, seconds=0.5)
    prepared: list[int] = []
    judge = Asks(prepared.append)
    samples = take_turn(device, sets.ring(), 1, 0.05, judge, slow=True)
    assert (prepared, judge.compared) == ([0], [0])
    assert len(samples.seconds) == 1
    assert sets.taken() == ["c0"]  # no further call, and no change of what was prepared


@pytest.mark.parametrize(("settles", "kept"), [(True, [0.5]), (False, [1.0])])
def test_a_call_that_still_takes_fresh_memory_is_warm_up_where_the_allocator_keeps_it(
    settles: bool, kept: list[float]
) -> None:
    device = ScriptedDevice()
    faults = iter([10**6, 0, 0, 0])

    def timed(fn: Call, calls: int) -> Timed:
        pages = next(faults)
        seconds = 1.0 if pages else 0.5
        device.clock += seconds
        return Timed(seconds, None, pages, fn())

    device.time = timed  # type: ignore[method-assign]
    samples = take_turn(device, Ring([lambda: None]), 1, 0.05, settles=settles)
    assert list(samples.seconds) == kept


def test_fresh_memory_that_never_ends_is_kept_after_two_samples() -> None:
    device = ScriptedDevice()

    def timed(fn: Call, calls: int) -> Timed:
        device.clock += 1.0
        return Timed(1.0, None, 10**6, fn())

    device.time = timed  # type: ignore[method-assign]
    samples = take_turn(device, Ring([lambda: None]), 1, 0.05, settles=True)
    assert (samples.seconds, samples.faults) == ((1.0,), 1e6)
    assert device.clock > 2.9


def test_what_a_slow_call_gave_is_compared_before_the_next_may_write_over_it() -> None:
    """More samples follow where the first took fresh memory, or was slow by chance: a kernel may have one buffer."""
    device = ScriptedDevice()
    sets = Sets(device, 3, seconds=0.5)
    honest = device.time
    faults = iter([10**6, 0])

    def timed(fn: Call, calls: int) -> Timed:
        return honest(fn, calls)._replace(faults=next(faults))

    device.time = timed  # type: ignore[method-assign]
    judge = Asks(lambda index: None, lambda: sets.log.append("compared"))
    take_turn(device, sets.ring(), 1, 0.05, judge, slow=True, settles=True)
    assert judge.compared == [0]
    assert sets.log == ["c0", "compared", "n1", "c1"]


def test_the_time_of_comparing_is_none_of_the_visits() -> None:
    device = ScriptedDevice()

    def compare() -> None:
        device.clock += 100.0

    samples = take_turn(device, Ring([device.spend(0.01)]), 1, 0.05, Asks(lambda index: None, compare), slow=True)
    assert len(samples.seconds) >= 4
