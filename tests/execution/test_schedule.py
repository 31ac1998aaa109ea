"""Which job is done next, and what becomes of it when its machine is lost: on machines that do nothing."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tbench.execution.cluster import fits
from tbench.execution.member import decoded, differences, encoded, versions
from tbench.execution.plan import MEMORY_SHARE, Group, share
from tbench.execution.schedule import MOST_LOSSES, Ended, Here, Lost, carry_through
from tbench.execution.workplace import Job, Step, Workplace
from tbench.records import Environment, Measurement
from tests.execution.fakes import FakeExecutor, case, draft
from tests.execution.test_local import FAST
from tests.synthetic import ENVIRONMENT, attention, ok


class Fleet:
    """So many machines; `script` says of each job that ends whether its machine is lost with it."""

    at_once = 1

    def __init__(self, machines: int, script: Iterator[bool]) -> None:
        self.free, self.script = machines, script
        self.working: deque[Job] = deque()
        self.most = 0

    def idle(self) -> bool:
        return self.free > 0

    def begin(self, job: Job) -> bool:
        self.free -= 1
        self.working.append(job)
        self.most = max(self.most, len(self.working))
        return True

    def next(self) -> tuple[Job, Any]:
        job = self.working[0]
        if next(self.script, False):
            self.working.popleft()
            self.free += 1
            return job, Lost("it rained")
        if job.seed >= 0 and getattr(self, "told", None) != job:
            self.told = job
            return job, Step(tuple(Measurement(one, "error", "done") for one in job.cases), finished=True)
        self.working.popleft()
        self.told = None
        self.free += 1
        return job, Ended()

    def changed(self, environment: Environment) -> Mapping[str, Any]:
        return {}

    def close(self) -> None: ...


def jobs(count: int) -> list[Job]:
    return [Job((case("naive", number),), 0) for number in range(count)]


@given(st.integers(0, 9), st.integers(1, 4), st.lists(st.booleans(), max_size=40))
def test_every_case_has_a_result_whatever_machines_are_lost(count: int, machines: int, lost: list[bool]) -> None:
    fleet = Fleet(machines, iter(lost))
    found = Counter(
        measurement.case
        for happened in carry_through(jobs(count), fleet)
        if isinstance(happened, tuple)
        for measurement in happened[1].measurements
    )
    assert set(found) == {job.cases[0] for job in jobs(count)}
    assert fleet.free == machines
    assert fleet.most <= machines


def test_a_job_that_takes_every_machine_down_becomes_an_error() -> None:
    fleet = Fleet(1, iter([True] * MOST_LOSSES))
    ((_, step),) = carry_through(jobs(1), fleet)  # type: ignore[misc]
    (row,) = step.measurements
    assert row.reason == f"lost with its machine {MOST_LOSSES} times, last: it rained"


def test_enough_finishes_what_is_measured_and_begins_nothing() -> None:
    begun: list[Job] = []
    fleet = Fleet(2, iter(()))
    several = jobs(5)
    finished = list(carry_through(several, fleet, begun.append, lambda: len(begun) >= 2))
    assert begun == several[:2]
    assert len(finished) == 2


def place(host: str = "", speed: float = 1e-3, free_bytes: int | None = None) -> Workplace:
    executor: Any = FakeExecutor({"naive": speed, "flash": speed})
    return Workplace(executor, replace(ENVIRONMENT, ceilings=None), 2, host, free_bytes=free_bytes)


def group_job(**begun: Any) -> Job:
    cases = (case("naive"), case("flash"))
    drafts = {one: draft(one, cases[0]) for one in cases}
    for one in cases:
        drafts[one].measurement = begun.get(str(one["kernel"]))
    return Job(cases, 1, Group(cases, cases[0]), drafts, FAST)


def test_rows_of_a_cluster_name_their_machine_and_others_do_not() -> None:
    (*_, here) = place().work(group_job())
    (*_, there) = place("node-7").work(group_job())
    assert isinstance(here, Step) and isinstance(there, Step)
    assert {one.machine for one in here.measurements} == {""}
    assert {one.machine for one in there.measurements} == {"node-7 Example 9000 Processor"}
    assert "host" not in here.measurements[0].to_dict()
    assert Measurement.from_dict(there.measurements[0].to_dict()) == there.measurements[0]


def test_a_group_goes_to_a_node_where_all_its_processes_fit() -> None:
    job = replace(group_job(), bytes=700)
    assert fits(job, free_bytes=1000, most=5000)
    assert not fits(job, free_bytes=750, most=5000)  # a share stays free
    assert fits(job, free_bytes=750, most=750)  # there is no larger node: the plan was made for one


def test_a_small_node_has_less_room_for_further_sets_of_inputs() -> None:
    job = replace(group_job(), bytes=1000)
    draft_ = replace(next(iter(job.drafts.values())), room=10**6)
    small = place("node-7", free_bytes=4000)
    assert small.settled(draft_, job).room == share(int(4000 * MEMORY_SHARE), 1000, 2) < 10**6
    assert place("node-7").settled(draft_, job).room == 10**6


def test_turns_of_another_machine_are_not_gone_on_with() -> None:
    first, *_ = place("a").work(group_job())
    assert isinstance(first, Step) and not first.finished
    so_far = {str(one.case["kernel"]): one for one in first.measurements}
    (*_, same) = place("a").work(group_job(**so_far))
    (*_, other) = place("b").work(group_job(**so_far))
    assert isinstance(same, Step) and isinstance(other, Step)
    assert same.measurements[0].turns[: len(so_far["naive"].turns)] == so_far["naive"].turns
    assert {one.host for one in other.measurements} == {"b"}
    assert min(turn.round for one in other.measurements for turn in one.turns) == 0


def test_here_is_one_machine_that_tells_every_round() -> None:
    here = Here(place(), lambda case, state: None)
    steps = [happened[1] for happened in carry_through([group_job(), group_job()], here) if isinstance(happened, tuple)]
    assert [step.finished for step in steps].count(True) == 2
    assert len(steps) > 2
    assert here.idle()


def test_what_a_node_sends_is_read_as_data_or_refused() -> None:
    step = Step((ok(attention("flash"), 1e-3, 1, host="node-7", device_name="X"),), finished=True)
    assert decoded(encoded(step)) == step
    assert decoded(encoded(ENVIRONMENT)) == ENVIRONMENT
    for bad in (b"", b"[]", b"{}", b'{"finished": true, "cases": [1]}', "text", None, object()):
        try:
            decoded(bad)
        except ValueError:
            continue
        raise AssertionError(bad)


def test_versions_that_differ_are_named() -> None:
    here = versions()
    assert differences(here, versions()) == ""
    assert differences(here, {**here, "torch": "1.0"}) == f"torch 1.0 there, {here['torch']} here"
    assert "tbench code" in differences(here, {**here, "tbench code": "0"})
