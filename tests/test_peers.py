"""What `bench/` makes of answers and runs: its arithmetic and its schedule, on made-up data."""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tbench.records import Case, Measurement, Turn

BENCH = Path(__file__).parents[1] / "bench"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The programs import each other as scripts do; their component must not stay for other tests."""
    from tbench.catalog import COMPONENTS

    monkeypatch.syspath_prepend(str(BENCH))
    before, modules = dict(COMPONENTS), set(sys.modules)
    yield
    COMPONENTS.clear()
    COMPONENTS.update(before)
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(BENCH)):
            del sys.modules[name]


def answer(harness: str, estimate: float, low: float | None = None, high: float | None = None, **more: Any) -> Any:
    given = {"harness": harness, "case": "a", "estimate": estimate, "low": low, "high": high, "seconds": 1.0}
    return {**given, "repeat": 0, "at": "2026-01-01T00:00:00+00:00", **more}


def test_agreement_and_spread() -> None:
    import peer_tables

    answers = [answer("torch", value) for value in (1.0, 2.0, 4.0)] + [answer("tbench", 2.2), answer("tbench", 2.2)]
    assert peer_tables.agreement(answers, "tbench", "a") == pytest.approx(1.1)
    assert peer_tables.spread(answers, "torch", "a") == pytest.approx(math.log(2))
    assert peer_tables.spread(answers, "tbench", "a") == 0
    assert peer_tables.agreement(answers, "pyperf", "a") is None


def test_an_interval_is_judged_by_the_other_repeats() -> None:
    import peer_tables

    answers = [answer("tbench", value, value - 0.5, value + 0.5) for value in (1.0, 1.1, 1.2, 1.3, 5.0)]
    assert peer_tables.covered(answers, "a") == [True, True, True, True, False]
    assert peer_tables.coverage(answers) == (4, 5)
    assert peer_tables.coverage(answers[:4]) == (0, 0)  # too few to count


def test_what_must_hold() -> None:
    import peer_tables

    answers = [answer("tbench", 1.0, seconds=5.0), answer("pyperf", 1.0, seconds=60.0)]
    ((holds, told),) = peer_tables.verdicts(answers)
    assert holds
    assert "0.083" in told
    assert not peer_tables.verdicts([answer("tbench", 1.0, seconds=7.0), answers[1]])[0][0]


def test_failures_count_nowhere_but_are_told() -> None:
    import peer_tables

    failed = {"harness": "pyperf", "case": "a", "repeat": 0, "at": "2026-01-01", "seconds": 9.0, "failure": "no answer"}
    answers = [answer("torch", 1.0), failed]
    where = {"device_name": "chip", "threads": 2, "allocator": "kept", "versions": {}, "quick": False, "harnesses": {}}
    assert peer_tables.long_run(answers, "pyperf", "a") is None
    assert "- pyperf, a: no answer" in peer_tables.markdown({"where": where, "answers": answers})


def test_every_harness_gets_its_repeats_spread_over_all() -> None:
    import peers
    from operations import peer_cases

    cases = peer_cases("cpu")[:3]
    steps = list(peers.schedule(cases, {"tbench": 8, "pyperf": 2}))
    assert len({step.key for step in steps}) == len(steps)
    assert Counter(step.harness for step in steps) == {"tbench": 24, "pyperf": 6}
    turns = [place for place, step in enumerate(steps) if step.harness == "pyperf"]
    assert min(turns) < len(steps) / 2 < max(turns)


def test_answers_are_kept_and_not_asked_again(tmp_path: Path) -> None:
    import peers

    where = peers.surroundings("cpu", ["torch"], argparse.Namespace(allocator="kept", quick=False))
    store = peers.Store(tmp_path / "peers.json", where)
    failed = {**answer("torch", 1.0), "failure": "no answer"}
    store.add(failed)
    assert store.done == set()
    store.add(answer("torch", 1.0))
    again = peers.Store(tmp_path / "peers.json", dict(where))
    assert again.done == {("torch", "a", 0)}
    with pytest.raises(SystemExit, match="another threads"):
        peers.Store(tmp_path / "peers.json", {**where, "threads": 99})


def test_operations_are_right() -> None:
    from operations import SEED, operand_bytes, plain

    from tbench.execution.worker import built

    for kernel in ("sort", "softmax", "silu", "embedding", "cross_entropy"):
        case = plain(kernel, 4, 16)
        assert operand_bytes(case) == 256
        workload = built(case, SEED, sets=2)
        assert workload.check(SEED + 1).passed, kernel
        expected = workload.expect(1, SEED + 2)
        assert expected.compare(workload.calls[1]()).passed, kernel
        assert not expected.compare(workload.calls[0]()).passed, kernel
        before = workload.calls[1]()
        workload.nudge(1)
        after = workload.calls[1]()
        assert str(before) != str(after), kernel


def test_peer_cases_are_distinct() -> None:
    from operations import peer_cases, shared_operations

    for cases in (peer_cases("cpu"), peer_cases("cuda:0"), shared_operations()):
        assert len({one.name for one in cases}) == len({one.case for one in cases}) == len(cases) >= 10
    assert {one.threads for one in shared_operations()} == {1, 2}


def test_seconds_of_a_suite_add_up() -> None:
    import suite_time

    case = Case("attention", "forward", "cpu", "float32", (("kernel", "flash"),))
    turns = (Turn(0, 0, 10, (0.1, 0.2)), Turn(0, 1, 1, (1.0,)))
    one = Measurement(case, "ok", turns=turns, error=0.0, costs={"setup": 1.5, "overhead": 0.5})
    found = suite_time.spent([one, one], 20.0)
    assert found == pytest.approx({"samples": 8.0, "setup": 3.0, "overhead": 1.0, "between": 8.0})
