"""The scheduler: order of turns, when it stops, what a failure does to the others. Nothing is timed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbench.analysis.stopping import looks
from tbench.analysis.turns import sampled_seconds
from tbench.execution.executor import WorkerFailed
from tbench.execution.plan import Group
from tbench.execution.rounds import derived_seed, expected, measure_group
from tbench.records import Case, Measurement, Sampling, Turn
from tests.execution.fakes import FakeExecutor, FakeWorker, case, draft

QUICK = Sampling(
    target=0.05, min_time=0.0, max_time=1.0, min_rounds=3, max_rounds=6, warmup=0.0, turns=4, turn_time=0.01
)


def measure(kernels: str, executor: FakeExecutor, sampling: Sampling = QUICK, **more: object) -> dict[str, Measurement]:
    cases = tuple(case(kernel) for kernel in kernels)
    group = Group(cases, cases[0])
    drafts = {one: draft(one, cases[0]) for one in cases}
    measured = measure_group(group, drafts, executor, sampling, seed=1, **more)  # type: ignore[arg-type]
    executor.close()
    return {str(one.case["kernel"]): one for one in measured}


def turns_in_order(executor: FakeExecutor) -> str:
    return "".join(kernel for kernel, do in executor.log if do == "turn")


def test_turns_alternate_and_the_direction_flips_between_rounds() -> None:
    executor = FakeExecutor({"a": 0.01, "b": 0.01, "c": 0.01})
    measure("abc", executor)
    assert turns_in_order(executor) == "abccbaabccba" + "cbaabccbaabc" + "abccbaabccba"


def test_who_has_nobody_to_alternate_with_has_one_turn_a_round_as_long_as_all() -> None:
    executor = FakeExecutor({"a": 0.001})
    measured = measure("a", executor)["a"]
    assert turns_in_order(executor) == "aaa"
    assert [len(turn.seconds) for turn in measured.turns] == [40] * 3


def test_what_is_known_of_a_call_is_told_to_the_next_process() -> None:
    executor = FakeExecutor({"a": 2.0, "b": 0.001})
    measure("ab", executor)
    assert executor.expected[:2] == [("a", None), ("b", None)]
    assert executor.expected[2:4] == [("a", pytest.approx(2.0)), ("b", pytest.approx(0.001))]


def test_a_sample_of_many_calls_is_not_told_as_one_call() -> None:
    many = draft(case("a"))
    turns = (Turn(0, 0, 500, (2e-4, 4e-4)), Turn(0, 1, 900, (4e-4,)))
    many.measurement = Measurement(many.case, "ok", turns=turns, error=0.0, error_limit=1e-4)
    assert expected(many) == pytest.approx(3e-4)


def test_every_round_is_a_fresh_process_checked_again_and_only_the_first_is_weighed() -> None:
    executor = FakeExecutor({"a": 0.01})
    measured = measure("a", executor)["a"]
    assert [do for _, do in executor.log].count("prepare") == 3
    assert [do for _, do in executor.log].count("finish") == 3
    assert measured.memory is not None
    assert measured.memory.peak_bytes == 2000
    assert measured.memory.predicted_bytes == 1000
    assert measured.error == 2e-7  # the larger of before and after
    assert measured.costs["setup"] == pytest.approx(0.003)


def test_stops_when_the_interval_is_inside_the_target() -> None:
    measured = measure("ab", FakeExecutor({"a": 0.01, "b": 0.02}))
    assert {one.stopped for one in measured.values()} == {"target"}
    assert {len({turn.round for turn in one.turns}) for one in measured.values()} == {3}


def test_says_which_condition_was_not_met() -> None:
    noisy = FakeExecutor({"a": 0.001}, noise=0.9)
    assert measure("a", noisy)["a"].stopped == "max_rounds"
    slow = FakeExecutor({"a": 2.0, "b": 2.0}, noise=0.9)
    measured = measure("ab", slow)["b"]
    assert measured.stopped == "max_time"
    assert {turn.round for turn in measured.turns} == {0, 1, 2}
    assert len(measured.turns) == 6  # two turns a round once a case has used its share of the time


def test_a_slow_case_takes_five_rounds_of_two_turns() -> None:
    sampling = Sampling(target=1e-9, max_time=3.0, min_time=0.0, turns=4)
    measured = measure("ab", FakeExecutor({"a": 2.0, "b": 2.0}, noise=0.5), sampling)["b"]
    assert [(turn.round, turn.turn) for turn in measured.turns] == [(r, t) for r in range(5) for t in range(2)]
    assert measured.stopped == "max_time"


def test_a_comparison_that_stands_ends_sampling_for_both() -> None:
    sampling = Sampling(target=0.02, max_time=60.0, min_time=0.0, turn_time=0.001)
    measured = measure("ab", FakeExecutor({"a": 0.004, "b": 0.001}, noise=0.08), sampling)
    assert {one.stopped for one in measured.values()} == {"decision"}
    assert {len({turn.round for turn in one.turns}) for one in measured.values()} <= {5, 8}
    same = measure("ab", FakeExecutor({"a": 0.001, "b": 0.001}, noise=0.3), sampling)
    assert {one.stopped for one in same.values()} == {"max_rounds"}


def test_what_a_case_was_to_show_ends_its_sampling_before_it_is_precise() -> None:
    """And nothing else does, where that is known: the comparison with `a` stands after three rounds."""
    noisy = {"a": 0.01, "b": 0.02}
    asked: list[tuple[str, int, int]] = []

    def stands(one: Case, measured: Mapping[Case, Measurement], times: int) -> bool:
        rounds = len({turn.round for turn in measured[one].turns})
        asked.append((str(one["kernel"]), rounds, times))
        return rounds >= 5

    sampling = replace(QUICK, target=1e-6, min_rounds=3, max_rounds=12)
    measured = measure("ab", FakeExecutor(noisy, noise=0.02), sampling, stands=stands)
    assert {one.stopped for one in measured.values()} == {"decision"}
    assert {len({turn.round for turn in one.turns}) for one in measured.values()} == {5}
    assert {times for _, _, times in asked} == {len(looks(3, 12))}


def test_precision_is_asked_at_looks_only() -> None:
    sampling = Sampling(target=0.02, max_time=60.0, min_time=0.0, turn_time=0.001, max_rounds=60)
    for noise in (0.02, 0.05, 0.08):
        measured = measure("a", FakeExecutor({"a": 0.001}, noise=noise), sampling)["a"]
        assert measured.stopped == "target"
        assert len({turn.round for turn in measured.turns}) in looks(5, 60)


def rounds_beside_an_unsteady_case(baseline: float) -> dict[str, set[int]]:
    """Rounds of a baseline `a` and of `b`, which differs from process to process until it is given up."""
    executor = FakeExecutor({"a": baseline, "b": 0.001})
    processes = itertools.count()

    def b_differs_from_process_to_process(kernel: str, do: str) -> None:
        if (kernel, do) == ("b", "prepare"):
            executor.speed["b"] = 0.001 * (1 + next(processes) % 2)

    executor.on = b_differs_from_process_to_process
    return {name: {turn.round for turn in one.turns} for name, one in measure("ab", executor).items()}


def test_the_baseline_goes_on_while_others_are_compared_with_it() -> None:
    rounds = rounds_beside_an_unsteady_case(baseline=0.001)
    assert rounds["a"] == rounds["b"]
    assert len(rounds["b"]) == QUICK.max_rounds


def test_a_long_baseline_does_not_hold_up_what_is_compared_with_it() -> None:
    rounds = rounds_beside_an_unsteady_case(baseline=2.0)
    assert rounds["a"] == {0, 1, 2}
    assert len(rounds["b"]) == QUICK.max_rounds


@pytest.mark.parametrize("step", ["prepare", "turn", "finish"])
@pytest.mark.parametrize("victim", ["a", "b"])
def test_a_failure_is_one_row_and_the_others_go_on(step: str, victim: str) -> None:
    failure = WorkerFailed("error", f"crashed with SIGSEGV during {step}")
    executor = FakeExecutor({"a": 0.01, "b": 0.01, "c": 0.01}, fail={victim: (step, failure)})
    measured = measure("abc", executor)
    assert measured[victim].status == "error"
    assert measured[victim].reason == failure.reason
    assert {one.status for name, one in measured.items() if name != victim} == {"ok"}
    assert len([1 for kernel, do in executor.log if kernel == victim and do == "prepare"]) <= 1


def test_turns_taken_before_a_failure_are_kept() -> None:
    executor = FakeExecutor({"a": 0.01, "b": 0.01}, fail={"a": ("finish", WorkerFailed("wrong", "differs"))})
    measured = measure("ab", executor)["a"]
    assert measured.status == "wrong"
    assert len(measured.turns) == 4


def test_an_interruption_closes_every_process_and_leaves_whole_rounds() -> None:
    saved: list[list[Measurement]] = []
    turns = itertools.count()

    def interrupt(kernel: str, do: str) -> None:
        if do == "turn" and next(turns) == 13:  # in the second round
            raise KeyboardInterrupt

    executor = FakeExecutor({"a": 0.01, "b": 0.01}, noise=0.9, on=interrupt)
    with pytest.raises(KeyboardInterrupt):
        measure("ab", executor, after_round=lambda so_far: saved.append(list(so_far)))
    executor.close()
    assert [len(one.turns) for one in saved[-1]] == [4, 4]


def test_a_resumed_group_goes_on_with_the_next_round() -> None:
    first = measure("a", FakeExecutor({"a": 0.01}, noise=0.9), QUICK)["a"]
    resumed = draft(case("a"))
    resumed.measurement = first
    executor = FakeExecutor({"a": 0.01})
    again = measure_group(
        Group((case("a"),)), {case("a"): resumed}, executor, Sampling(max_rounds=8, target=1e-9, turn_time=0.01), seed=1
    )[0]
    assert again.turns[: len(first.turns)] == first.turns
    assert [turn.round for turn in again.turns[len(first.turns) :]] == [6, 7]
    assert again.memory == first.memory


@settings(max_examples=50, deadline=None)
@given(
    speeds=st.lists(st.floats(1e-5, 0.5), min_size=1, max_size=4),
    turns=st.integers(1, 6),
    noise=st.floats(0, 0.9),
)
def test_always_ends_and_pairs_every_turn(speeds: list[float], turns: int, noise: float) -> None:
    names = "abcd"[: len(speeds)]
    sampling = Sampling(target=0.02, min_time=0.05, max_time=0.5, min_rounds=2, max_rounds=5, turns=turns)
    executor = FakeExecutor(dict(zip(names, speeds, strict=True)), noise=noise)
    measured = measure(names, executor, sampling)
    base = {(turn.round, turn.turn) for turn in measured["a"].turns}
    for one in measured.values():
        assert one.status == "ok"
        assert one.stopped in {"target", "decision", "max_time", "max_rounds"}
        assert sampled_seconds(one.turns) > 0
        mine = {(turn.round, turn.turn) for turn in one.turns}
        # A slow case may skip late turns of a round; those it took have a partner unless the partner skipped them, or
        # has had its time.
        last = max(number for number, _ in base)
        assert {(number, turn) for number, turn in mine if turn < 2 and number <= last} <= base


def test_seeds_differ_by_case_and_round_and_repeat_with_the_run() -> None:
    def seeds(run: int) -> list[int]:
        return [derived_seed(run, one, number) for one in (case("a"), case("b")) for number in range(3)]

    assert len(set(seeds(1))) == 6
    assert seeds(1) == seeds(1)
    assert not set(seeds(1)) & set(seeds(2))


def test_case_identity_is_stable() -> None:
    one = Case("attention", "forward", "cpu", "float32", (("batch", 1), ("causal", True), ("pattern", "window:256")))
    assert one.id == "attention/forward device=cpu dtype=float32 batch=1 causal=true pattern=window:256"


# ---------------------------------------------------------------------- on a GPU


def measure_on_gpu(kernels: str, executor: FakeExecutor, sampling: Sampling) -> list[Measurement]:
    cases = tuple(case(kernel).with_(device="cuda:0") for kernel in kernels)
    drafts = {one: draft(one, cases[0]) for one in cases}
    return measure_group(Group(cases, cases[0]), drafts, executor, sampling, seed=1)


def costing(seconds: dict[str, float], calls: FakeExecutor) -> FakeExecutor:
    """The same, with processes that say what they have spent."""
    honest = calls.start

    def start(like: object = None, look: object = None) -> object:
        worker = honest()
        ask = worker.ask

        def asked(do: str, timeout: float, **arguments: object) -> object:
            answer = ask(do, timeout, **arguments)
            return {**answer, "costs": seconds} if do == "finish" else answer

        worker.ask = asked  # type: ignore[method-assign]
        return worker

    calls.start = start  # type: ignore[method-assign, assignment]
    return calls


NEVER_PRECISE = Sampling(
    target=1e-9, min_time=0.0, max_time=1.0, min_rounds=5, max_rounds=12, warmup=0.0, turns=2, turn_time=0.01
)


@pytest.mark.parametrize(("device", "rounds", "stopped"), [("cpu", 5, "max_time"), ("cuda:0", 12, "max_rounds")])
def test_set_up_does_not_eat_the_time_of_a_gpus_samples(device: str, rounds: int, stopped: str) -> None:
    """A context and first launches: 0.9 s a process, for turns of 10 ms."""
    executor = costing({"setup": 0.9}, FakeExecutor({"a": 0.001, "b": 0.001}, noise=0.5))
    if device == "cpu":
        measured = list(measure("ab", executor, NEVER_PRECISE).values())
    else:
        measured = measure_on_gpu("ab", executor, NEVER_PRECISE)
    assert {one.stopped for one in measured} == {stopped}
    assert {len({turn.round for turn in one.turns}) for one in measured} == {rounds}


def test_set_up_on_a_gpu_has_a_limit_and_the_row_says_so() -> None:
    executor = costing({"setup": 3.0}, FakeExecutor({"a": 0.001, "b": 0.001}, noise=0.5))
    assert {one.stopped for one in measure_on_gpu("ab", executor, NEVER_PRECISE)} == {"setup"}


def test_a_clock_that_is_lost_after_the_first_round_does_not_keep_a_case_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Turns of another clock than the reported one count for no interval; they still take time."""
    executor = FakeExecutor({"a": 1e-3}, noise=0.5)
    ask = FakeWorker.ask

    def answered(worker: FakeWorker, do: str, timeout: float, **given: Any) -> Any:
        answer = ask(worker, do, timeout, **given)
        return replace(answer, clock="eager" if answer.round else "ahead") if do == "turn" else answer

    monkeypatch.setattr(FakeWorker, "ask", answered)
    (one,) = measure_on_gpu("a", executor, Sampling(target=1e-6, min_rounds=2, max_rounds=6, max_time=1e6))
    assert one.stopped == "max_rounds"
    assert {turn.round for turn in one.turns} == set(range(6))
