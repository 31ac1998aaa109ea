"""Turns of samples with the host out of the way, on devices that can be queued ahead (see `measure.cuda`).

A case's calls are settled first: as many as the host can submit before the device begins. Where not even one can be,
the case keeps the plain clock, with the reason. In every turn one sample is taken without a spin: it is what a Python
program sees, and shows work that a spin would hide because it runs on another stream.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import NamedTuple

from tbench.measure.cuda import COVER_SECONDS, LONGEST_SPIN, MARGIN, SHORTEST_SPIN
from tbench.measure.device import Device
from tbench.measure.sampler import REWARM_SECONDS, Judge, Ring, Samples, take_turn
from tbench.measure.telemetry import difference
from tbench.measure.timed import Call, Timed

LONGEST_SUBMISSION = 5e-3  # seconds for which the host may submit, unless one call takes longer
TRIES = 4  # samples to find the length of the spin in; the last two must be ahead
STRAY_TRIES = 3  # samples that must all show work on other streams: the host's clock alone may jitter
MOST_MISSED, MOST_MISSED_SLOW = 8, 2  # samples in a row in which the host was in the way, before a turn gives up
FULL_QUEUE_SECONDS = 1.5e-3  # for 1024 launches of at least 1.5 µs: a shorter submission has not filled the queue
LEAST_SECONDS = 0.1e-6  # per call: less is no kernel at all
FIRST_LAUNCH = 0.2e-3  # seconds that a sample on an idle device may take longer; 20 to 110 µs were seen
SLACK = 1.1  # times longer: clocks of the device and its host vary
MORE_SPIN, MORE_OF_A_SAMPLE = 0.5e-3, 0.25  # seconds, or of a sample, by which a second spin is longer
SLIGHT = 0.02  # of a sample: what a spin can hide at most is then no matter

STRAY = "work on another stream outlasts the call, and a queue would hide it"
HIDDEN = "some of its work is on a stream that does not wait for the current one, and a queue would hide it"
ELSEWHERE = "none of its work runs on the current stream"
WAITS = "the call waits for the device itself"
WAITS_OR_MANY = (
    "the call waits for the device before it has submitted everything, or makes more launches than fit in its queue"
)
WAITS_OR_SLOW = (
    f"the call waits for the device itself, or the host needs more than {LONGEST_SPIN * 1e3:.0f} ms to submit it"
)
IN_THE_WAY = "the host delayed every sample of a turn: stop whatever else keeps it busy"


class Settled(NamedTuple):
    """How many calls can be queued ahead; 0 and why, where not even one can."""

    calls: int
    why_not: str = ""


def settle(device: Device, ring: Ring, calls: int) -> Settled:
    """Fewer calls than `calls` until all are submitted before the device begins; more where they are too short a
    sample, as the plain clock takes a host's time for the device's."""
    plain = unqueued(device, ring, calls)
    if plain.stray:
        return Settled(0, STRAY)
    found = tried(device, ring, calls)
    while not fits(found, calls):
        if calls == 1:
            return Settled(0, why_not(unqueued(device, ring, 1)))
        calls //= 2
        found = tried(device, ring, calls)
    if found.seconds < LEAST_SECONDS:
        return Settled(0, ELSEWHERE)
    while found.seconds * calls < device.sample_seconds and 2 * calls <= ring.most:
        more = tried(device, ring, 2 * calls)
        if not fits(more, 2 * calls):
            break
        found, calls = more, 2 * calls
    return Settled(0, HIDDEN) if hides(device, ring, calls, found) else Settled(calls)


def fits(sample: Timed, calls: int) -> bool:
    return sample.ahead and (calls == 1 or (sample.host_seconds or 0.0) * calls <= LONGEST_SUBMISSION)


def tried(device: Device, ring: Ring, calls: int) -> Timed:
    """The last of a few samples, which is ahead if two in a row were: the spin's length is learnt on the way."""
    in_a_row = 0
    for _ in range(TRIES):
        sample = device.time(ring.take(calls), calls, ahead=True)._replace(result=None)
        in_a_row = in_a_row + 1 if sample.ahead else 0
        if in_a_row == 2:
            break
    return sample._replace(ahead=in_a_row == 2)


def unqueued(device: Device, ring: Ring, calls: int) -> Timed:
    """A sample on the plain clock; with stray work only if several in a row show it."""
    for _ in range(STRAY_TRIES):
        sample = device.time(ring.take(calls), calls)._replace(result=None)
        if not sample.stray:
            break
    return sample


def hides(device: Device, ring: Ring, calls: int, sample: Timed) -> bool:
    """Whether the spin hides work of this sample. A call may begin on a stream of its own, at once, and wait for it
    later: then calls take less the longer the spin lasts, and by the plain clock longer than they can. What is hidden
    whole, and takes no longer than the host does to submit the calls, is not found.
    """
    total, host = sample.seconds * calls, (sample.host_seconds or 0.0) * calls
    if MARGIN * host + SHORTEST_SPIN + COVER_SECONDS < SLIGHT * total:
        return False  # the spin is too short to matter
    longer = max(MORE_SPIN, MORE_OF_A_SAMPLE * total)
    for _ in range(STRAY_TRIES):
        plain = device.time(ring.take(calls), calls)
        later = device.time(ring.take(calls), calls, ahead=True, longer=longer)
        less = later.ahead and later.seconds * calls < total - longer / 2
        if not less and plain.seconds * calls <= SLACK * (total + (plain.host_seconds or 0.0) * calls) + FIRST_LAUNCH:
            return False
    return True


def why_not(plain: Timed) -> str:
    """Why one call alone was not submitted before the device began, from a sample of it by the plain clock."""
    host = plain.host_seconds or 0.0
    return WAITS if host < FULL_QUEUE_SECONDS else WAITS_OR_MANY if host < LONGEST_SPIN else WAITS_OR_SLOW


def take(
    device: Device, ring: Ring, calls: int, seconds: float, judge: Judge | None = None, slow: bool = False
) -> Samples:
    """Samples of `calls` calls for about `seconds` of wall time, after warming up again: only those with the proof
    that the host was not in them. None at all where there was no such sample, with the reason in `why`.

    `judge` is asked as in `sampler.take_turn`: about a sample of its own, the first where calls are `slow`.
    """
    plain = None
    if slow and judge is not None:
        judge.expect(ring.last(calls))
        witness = device.time(ring.take(calls, nudge=False), calls)
        judge.compare(witness.result)
        plain = witness._replace(result=None)
        del witness
    began = device.now()
    while not slow and device.now() - began < min(REWARM_SECONDS, seconds):
        device.time(ring.take(calls), calls, ahead=True)
    before = device.snapshot()  # after warming up: a neighbour's heat is not this case's
    if plain is None or plain.stray:
        plain = unqueued(device, ring, calls)
    if plain.stray:
        return Samples((), why=STRAY)
    taken: list[Timed] = []
    missed = 0
    while missed < (MOST_MISSED_SLOW if slow else MOST_MISSED) and (not taken or device.now() - began < seconds):
        sample = device.time(ring.take(calls), calls, ahead=True)._replace(result=None)
        missed = 0 if sample.ahead else missed + 1
        if sample.ahead:
            taken.append(sample)
    if not taken:
        return Samples((), why=IN_THE_WAY if calls > 1 else why_not(plain))
    telemetry = difference(before, device.snapshot()) if before else {}
    if hides(device, ring, calls, taken[-1]._replace(seconds=statistics.median(one.seconds for one in taken))):
        return Samples((), why=HIDDEN)
    if judge is not None and not slow:
        judge.expect(ring.last(calls))
        judge.compare(device.time(ring.take(calls, nudge=False), calls).result)
    clocks = [one.sm_mhz for one in taken if one.sm_mhz is not None]
    return Samples(
        tuple(one.seconds for one in taken),
        tuple(one.host_seconds for one in taken if one.host_seconds is not None),
        telemetry,
        calls=calls,
        clock="ahead",
        eager_seconds=plain.seconds,
        sm_mhz=statistics.median(clocks) if clocks else None,
    )


class Pace:
    """Takes a case's turns: queued ahead as long as that can be done, otherwise on the plain clock, which says why.

    `asked`: as in `Sampling.launch`; only an asynchronous device can be queued ahead.
    """

    def __init__(self, device: Device, ring: Ring, calls: int, asked: str) -> None:
        self.device, self.ring, self.calls = device, ring, calls
        self.ahead, self.why = device.asynchronous and asked != "eager", ""

    def settle(self) -> None:
        """Find out how many calls can be queued ahead, if they are to be."""
        if self.ahead:
            calls, self.why = settle(self.device, self.ring, self.calls)
            self.ahead, self.calls = calls > 0, calls or self.calls

    def turn(self, seconds: float, judge: Judge | None, slow: bool, settles: bool) -> Samples:
        """One turn's samples. Where the host gets in the way of all of them, half as many calls are queued."""
        while self.ahead:
            samples = take(self.device, self.ring, self.calls, seconds, judge, slow)
            if samples.seconds:
                return samples
            if self.calls == 1 or samples.why in (STRAY, HIDDEN):
                self.ahead, self.why = False, samples.why
            self.calls = max(1, self.calls // 2)
        samples = take_turn(self.device, self.ring, self.calls, seconds, judge, slow, settles)
        return replace(samples, why=self.why)


def timed(device: Device, fn: Call, calls: int) -> float:
    """Seconds per call of one sample, queued ahead where that can be done."""
    for _ in range(TRIES if device.asynchronous else 0):
        sample = device.time(fn, calls, ahead=True)
        if sample.ahead:
            return sample.seconds
    return device.time(fn, calls).seconds
