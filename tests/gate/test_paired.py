"""Pairs, sweeps and confirmations on executors that measure nothing: order, counts, failures, memory."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest

from tbench.comparison.model import Verdict
from tbench.execution.executor import WorkerFailed
from tbench.gate.decision import Rule, judge
from tbench.gate.outcome import HOST_INCLUDED, of_pairs
from tbench.gate.paired import PairedCase, Progress, measure_pairs, sampling_of
from tbench.records import Clock, Injection, Memory, Sampling, Status
from tests.execution.fakes import FakeExecutor, case, draft

RULE = Rule()


class Log:
    """Keeps what a gate reports."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.sweeps = 0
        self.progress = Progress(self.messages.append, self.messages.append, self.swept)

    def swept(self) -> None:
        self.sweeps += 1


def paired(base: FakeExecutor, new: FakeExecutor, kernel: str = "a", control: bool = False) -> PairedCase:
    one = case(kernel)
    return PairedCase(one.id, (draft(one), base), (draft(one), new), sampling_of(Sampling()), control=control)


def measure(*cases: PairedCase) -> None:
    measure_pairs(cases, RULE, 0, Progress())


def verdict(one: PairedCase) -> Verdict:
    found = judge({one.name: one.evidence} if one.compared else {}, RULE)
    return of_pairs(one, found.get(one.name), RULE).verdict


def test_the_turns_of_a_pair_are_abba_and_the_next_ones_baab() -> None:
    order: list[str] = []

    class Named(FakeExecutor):
        def __init__(self, name: str) -> None:
            super().__init__({"a": 0.01}, on=lambda kernel, do: order.append(name) if do == "turn" else None)

    base, new = Named("A"), Named("B")
    one = paired(base, new)
    one.measure_pair([], seed=0)
    one.measure_pair([], seed=0)
    assert "".join(order) == "ABBA" + "BAAB"
    assert (base.alive, new.alive) == (0, 0)


def test_both_sides_get_the_same_data() -> None:
    seeds: list[tuple[str, int]] = []

    class Asked(FakeExecutor):
        def start(self, like=None, look=None):  # type: ignore[no-untyped-def]
            worker = super().start()
            ask = worker.ask

            def remembered(do: str, timeout: float, **arguments: object) -> object:
                if "seed" in arguments:
                    seeds.append((do, arguments["seed"]))  # type: ignore[arg-type]
                return ask(do, timeout, **arguments)

            worker.ask = remembered  # type: ignore[method-assign]
            return worker

    paired(Asked({"a": 0.01}), Asked({"a": 0.01})).measure_pair([], seed=5)
    prepared = [seed for do, seed in seeds if do == "prepare"]
    assert len(prepared) == 2
    assert len(set(prepared)) == 1


def test_injected_noise_is_another_work_on_each_side_in_every_pair() -> None:
    seen: list[tuple[str, int]] = []

    class Asked(FakeExecutor):
        def __init__(self, side: str) -> None:
            super().__init__({"a": 0.01})
            self.side = side

        def start(self, like=None, look=None):  # type: ignore[no-untyped-def]
            worker = super().start()
            ask = worker.ask

            def remembered(do: str, timeout: float, **arguments: object) -> object:
                if do == "prepare":
                    seen.append((self.side, arguments["injection"].repeats))  # type: ignore[attr-defined]
                return ask(do, timeout, **arguments)

            worker.ask = remembered  # type: ignore[method-assign]
            return worker

    one = paired(Asked("base"), Asked("new"))
    one.noise = iter([(Injection(1), Injection(2)), (Injection(0), Injection(4)), (Injection(5), Injection(5))])
    for _ in range(3):
        one.measure_pair([], seed=0)
    assert sorted(seen[:2]) == [("base", 1), ("new", 2)]
    assert sorted(seen[2:4]) == [("base", 0), ("new", 4)]
    assert sorted(seen[4:]) == [("base", 5), ("new", 5)]


def on_a_gpu(*sides: FakeExecutor) -> PairedCase:
    one = replace(case("a"), device="cuda:0")
    (base, new) = ((draft(one), side) for side in sides)
    return PairedCase(one.id, base, new, sampling_of(Sampling()))


def test_pairs_of_a_case_are_judged_by_one_clock() -> None:
    """The third pair's new side could not be queued ahead: its time has the host in it, and so had what was called
    in the others."""
    base, new = FakeExecutor({"a": 1e-5}), FakeExecutor({"a": 1e-5})
    base.clock = lambda round: ("ahead", 4e-5)
    new.clock = lambda round: ("ahead", 2e-5) if round < 2 else ("eager", None)
    one, pairs = on_a_gpu(base, new), list[float]()
    for _ in range(2):
        one.measure_pair(pairs, seed=0)
    assert pairs == pytest.approx([0.0, 0.0]) and not one.host_included
    for _ in range(2):
        one.measure_pair(pairs, seed=0)
    assert pairs == pytest.approx([math.log(0.5), math.log(0.5), math.log(0.25), math.log(0.25)])
    assert one.host_included


def by(clock: Clock, round: int) -> tuple[Clock, float]:
    return clock, 1e-5


def test_a_verdict_says_that_the_host_is_in_the_times() -> None:
    for clock, said in (("ahead", ""), ("eager", HOST_INCLUDED)):
        sides = FakeExecutor({"a": 1e-5}), FakeExecutor({"a": 1e-5})
        for side in sides:
            side.clock = partial(by, clock)
        one = on_a_gpu(*sides)
        measure(one)
        assert of_pairs(one, judge({one.name: one.evidence}, RULE)[one.name], RULE).reason == said


def test_the_same_speed_is_ok_after_the_screening() -> None:
    one, log = paired(FakeExecutor({"a": 0.01}), FakeExecutor({"a": 0.01})), Log()
    measure_pairs([one], RULE, 0, log.progress)
    assert verdict(one) == "OK"
    assert one.pairs == RULE.screen
    assert log.sweeps == RULE.screen


def test_a_slower_side_is_confirmed_on_fresh_pairs() -> None:
    one = paired(FakeExecutor({"a": 0.01}), FakeExecutor({"a": 0.0112}))
    measure(one)
    assert verdict(one) == "SLOWER"
    assert (len(one.evidence.screen), len(one.evidence.confirm)) == (RULE.screen, RULE.least)


def test_a_faster_side_is_said_to_be() -> None:
    one = paired(FakeExecutor({"a": 0.0112}), FakeExecutor({"a": 0.01}))
    measure(one)
    assert verdict(one) == "FASTER"


def test_noise_alone_is_looked_at_longer_and_stays_green_or_open() -> None:
    base, new = FakeExecutor({"a": 0.01}, noise=0.3), FakeExecutor({"a": 0.01}, noise=0.3)
    new.random.seed(8)  # or both sides would have the same noise
    one = paired(base, new)
    measure(one)
    assert len(one.evidence.screen) + len(one.evidence.confirm) > RULE.screen
    assert verdict(one) in ("OK", "INCONCLUSIVE")


def test_a_side_that_fails_ends_its_own_case_only() -> None:
    broken = WorkerFailed("wrong", "differs from the float64 reference")
    bad = paired(FakeExecutor({"a": 0.01}), FakeExecutor({"a": 0.01}, fail={"a": ("finish", broken)}))
    good = paired(FakeExecutor({"b": 0.01}), FakeExecutor({"b": 0.01}), "b")
    measure(bad, good)
    assert verdict(bad) == "BROKEN"
    assert bad.pairs == 1
    assert verdict(good) == "OK"


def test_where_every_case_has_failed_nothing_is_controlled() -> None:
    broken = WorkerFailed("error", "crashed")
    bad = paired(FakeExecutor({"a": 0.01}), FakeExecutor({"a": 0.01}, fail={"a": ("prepare", broken)}))
    differing = paired(FakeExecutor({"a": 0.01}), FakeExecutor({"a": 0.02}), control=True)
    measure(bad, differing)
    assert differing.pairs == 1


def test_a_base_that_failed_is_no_regression_and_no_pass() -> None:
    broken = WorkerFailed("error", "crashed")
    one = paired(FakeExecutor({"a": 0.01}, fail={"a": ("prepare", broken)}), FakeExecutor({"a": 0.01}))
    measure(one)
    assert verdict(one) == "INCONCLUSIVE"


def test_unsupported_on_both_sides_is_a_fact_about_the_machine() -> None:
    refused = {"a": ("prepare", WorkerFailed("unsupported", "needs CUDA"))}
    one = paired(FakeExecutor({"a": 0.01}, fail=refused), FakeExecutor({"a": 0.01}, fail=refused))
    measure(one)
    assert verdict(one) == "SKIPPED"


class Short(FakeExecutor):
    """Has no memory, or no time, for the pairs of these numbers."""

    def __init__(self, *pairs: int, status: Status = "oom") -> None:
        super().__init__({"a": 0.01})
        self.started, self.pairs, self.status = -1, pairs, status

    def start(self, like=None, look=None):  # type: ignore[no-untyped-def]
        self.started += 1
        self.fail = {"a": ("turn", WorkerFailed(self.status, "no more"))} if self.started in self.pairs else {}
        return super().start()


def test_a_passing_shortage_takes_the_pair_again() -> None:
    for base, new in ((Short(3), FakeExecutor({"a": 0.01})), (FakeExecutor({"a": 0.01}), Short(3, status="timeout"))):
        one = paired(base, new)
        measure(one)
        assert verdict(one) == "OK"
        assert one.pairs == len(one.evidence.screen)
        rounds = [turn.round for turn in one.new[0].turns]
        assert rounds == sorted(rounds)  # nothing of the pair that was broken off is left
        assert len(rounds) == 2 * one.pairs


def test_a_shortage_that_stays_decides_nothing_of_the_base_but_breaks_the_new() -> None:
    for base, new, expected in (
        (Short(3, 4), FakeExecutor({"a": 0.01}), "INCONCLUSIVE"),
        (FakeExecutor({"a": 0.01}), Short(3, 4), "BROKEN"),
        (Short(3, 4), Short(3, 4), "INCONCLUSIVE"),
        (Short(0), FakeExecutor({"a": 0.01}), "ADDED"),
        (Short(0), Short(0), "SKIPPED"),
    ):
        one = paired(base, new)
        measure(one)
        assert verdict(one) == expected


def growing(peaks: list[int]) -> FakeExecutor:
    """Measures one of these after the other."""

    class Peaks(FakeExecutor):
        def start(self, like=None, look=None):  # type: ignore[no-untyped-def]
            worker = super().start()
            ask = worker.ask

            def measured(do: str, timeout: float, **arguments: object) -> object:
                answer = ask(do, timeout, **arguments)
                if do == "finish" and arguments["weigh"]:
                    answer = {**answer, "memory": Memory(peak_bytes=peaks.pop(0))}
                return answer

            worker.ask = measured  # type: ignore[method-assign]
            return worker

    return Peaks({"a": 0.01})


def test_growth_is_seen_in_two_pairs_or_it_is_none() -> None:
    size = 200 * 2**20
    grown = paired(growing([size, size]), growing([size + 2**22, size + 2**22]))
    measure(grown)
    assert verdict(grown) == "BIGGER"
    once = paired(growing([size, size]), growing([size + 2**22, size]))
    measure(once)
    assert verdict(once) == "OK"
    same = paired(growing([size]), growing([size]))
    measure(same)
    assert verdict(same) == "OK"


def test_when_the_time_is_over_only_what_must_be_is_done() -> None:
    hours = iter(range(0, 10_000_000, 3600))
    slower = [
        paired(FakeExecutor({"a": 0.01}), FakeExecutor({"a": 0.0112})),
        paired(FakeExecutor({"b": 0.01}), FakeExecutor({"b": 0.01}), "b"),
    ]
    log = Log()
    measure_pairs(slower, RULE, 0, log.progress, clock=lambda: float(next(hours)))
    assert [len(one.evidence.screen) for one in slower] == [RULE.screen] * 2
    assert len(slower[0].evidence.confirm) == slower[0].evidence.planned == RULE.least
    assert verdict(slower[0]) == "SLOWER"  # enough for what is plain
    assert not any("more pairs" in message for message in log.messages)
