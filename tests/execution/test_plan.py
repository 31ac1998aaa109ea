"""What is planned before anything runs: reasons, groups, what fits side by side."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.components.attention import ATTENTION
from tbench.execution import plan
from tbench.execution.plan import ALONE, NOT_TOGETHER, Group, Plan
from tbench.records import Case, Ceilings, Sampling
from tests.components.cases import attention

PLENTY = 2**50
CEILINGS = Ceilings({"float32": 1e11}, ((2**20, 1e11), (2**28, 1e10)), "now", 2)


def made(
    cases: list[Case], baseline: str | None = "naive", free: int = PLENTY, ceilings: Ceilings | None = None
) -> Plan:
    """Plan cases against the kernel `baseline`, all other axes equal."""
    pairs = [(case, None if baseline is None else case.with_(kernel=baseline)) for case in cases]
    return plan.make(pairs, Sampling(), free, ceilings)


def drafted(of: Plan, group: Group, baseline: str = "naive") -> dict[Case, Any]:
    baselines = {case: case.with_(kernel=baseline) for case in of.cases}
    return dict(plan.drafts(group, of, baselines, set(of.cases)))


def told(group: Group) -> tuple[tuple[Case, ...], Case | None]:
    return group.cases, group.baseline


def test_cases_with_one_baseline_are_a_group_in_the_order_they_came() -> None:
    cases = [attention(kernel, seq_len=n) for n in (64, 128) for kernel in ("flash", "naive", "math")]
    planned = made(cases)
    assert [group.cases for group in planned.groups] == [tuple(cases[:3]), tuple(cases[3:])]
    assert [group.baseline for group in planned.groups] == [cases[1], cases[4]]
    assert planned.cases == tuple(cases)
    assert not planned.left_out


def test_without_a_baseline_every_case_is_alone() -> None:
    cases = [attention(kernel) for kernel in ("naive", "flash")]
    assert [group.cases for group in made(cases, baseline=None).groups] == [(case,) for case in cases]


def test_what_cannot_run_is_a_row_with_its_reason() -> None:
    cases = [attention(kernel, pattern="window:8") for kernel in ("naive", "flash", "cudnn", "chunked")]
    planned = made(cases)
    assert [one.case for one in planned.left_out] == cases[1:3]
    flash, cudnn = planned.left_out
    assert flash.status == cudnn.status == "unsupported"
    assert flash.reason == "computes every pair; does not support pattern window"
    assert cudnn.reason == "cudnn runs on cuda only"
    assert flash.baseline == cases[0].id
    assert flash.work == ATTENTION.work_of(cases[1])
    assert planned.cases == (cases[0], cases[3])


def test_what_is_too_large_is_out_of_memory_before_it_is_started() -> None:
    naive, flash = (attention(kernel, seq_len=8192, head_dim=64) for kernel in ("naive", "flash"))
    free = ATTENTION.predict_bytes(naive)  # all of it, but a tenth is left to the system
    planned = made([naive, flash], free=free)
    (row,) = planned.left_out
    assert (row.case, row.status) == (naive, "oom")
    assert row.reason == f"would need {free / 2**30:.1f} GiB, {0.9 * free / 2**30:.1f} GiB free; not started"
    assert planned.cases == (flash,)
    assert planned.predicted_bytes == {naive: free, flash: ATTENTION.predict_bytes(flash)}


def test_others_keep_the_name_of_a_baseline_that_is_left_out() -> None:
    naive, flash = (attention(kernel, seq_len=8192, head_dim=64) for kernel in ("naive", "flash"))
    planned = made([naive, flash], free=ATTENTION.predict_bytes(naive))
    (group,) = planned.groups
    assert told(group) == ((flash,), None)
    draft = drafted(planned, group)[flash]
    assert draft.baseline == naive.id
    assert draft.notes == ()


def test_a_baseline_that_cannot_run_is_named_so_that_a_report_can_say_why_there_is_no_speed_up() -> None:
    naive, flash = (attention(kernel, seq_len=4096) for kernel in ("naive", "flash"))
    free = int(ATTENTION.predict_bytes(flash) * 1.1 / plan.MEMORY_SHARE)
    baselines = {naive: naive, flash: naive}
    planned = plan.make(baselines.items(), Sampling(), free, None)
    assert [row.case for row in planned.left_out] == [naive]
    (group,) = planned.groups
    draft = plan.drafts(group, planned, baselines, set(planned.cases))[flash]
    assert (draft.baseline, draft.notes) == (naive.id, ())


def test_what_does_not_fit_beside_its_baseline_is_measured_alone_and_says_so() -> None:
    """Decode steps hold their cache and little else: two of them need twice the memory."""
    naive, flash = (attention(kernel, phase="decode", seq_len=2**16, head_dim=64) for kernel in ("naive", "flash"))
    both = ATTENTION.predict_bytes(naive) + ATTENTION.predict_bytes(flash)
    planned = made([flash, naive], free=int(both * 0.95 / plan.MEMORY_SHARE))
    # The baseline has its place first.
    assert [told(group) for group in planned.groups] == [((naive,), naive), ((flash,), None)]
    alone = drafted(planned, planned.groups[1])[flash]
    assert alone.baseline is None
    assert alone.notes == (NOT_TOGETHER,)
    beside = drafted(planned, planned.groups[0])[naive]
    assert beside.baseline == naive.id
    assert beside.notes == ()
    roomy = made([flash, naive], free=int(both * 1.05 / plan.MEMORY_SHARE))
    assert [told(group) for group in roomy.groups] == [((flash, naive), naive)]


def test_only_one_workspace_is_there_at_a_time() -> None:
    """Two naive cases of long sequences: inputs are small, score matrices are not, and one case computes at a time."""
    naive, masked = (attention(kernel, seq_len=2048, batch=1) for kernel in ("naive", "masked"))
    peak = max(ATTENTION.predict_bytes(case) for case in (naive, masked))
    planned = made([naive, masked], free=int(1.1 * peak / plan.MEMORY_SHARE))
    assert [told(group) for group in planned.groups] == [((naive, masked), naive)]
    assert planned.groups[0].crowded  # both cannot keep what they have freed
    assert planned.groups[0].room == 0


@given(
    st.lists(st.sampled_from(["naive", "flash", "math", "masked"]), min_size=1, unique=True),
    st.sampled_from(["forward", "decode"]),
    st.floats(0.5, 20.0),
)
def test_what_further_inputs_may_take_is_left_beside_everybodys_peak(
    kernels: list[str], phase: str, times: float
) -> None:
    cases = [attention(kernel, phase=phase, seq_len=2048) for kernel in kernels]
    free = int(times * sum(ATTENTION.predict_bytes(case) for case in cases))
    planned = made(cases, kernels[0], free)
    for group in planned.groups:
        kept = sum(planned.predicted_bytes[case] for case in group.cases)
        budget = free * plan.MEMORY_SHARE
        assert group.room is not None
        assert group.room >= 0
        assert group.crowded is (kept > int(budget))
        if not group.crowded:
            assert kept + plan.ROOM * len(group.cases) * group.room <= budget
            assert kept + plan.ROOM * len(group.cases) * (group.room + 1) > budget - 1
        for case, draft in drafted(planned, group, kernels[0]).items():
            assert (draft.room, draft.crowded) == (group.room, group.crowded), case


def test_what_is_compared_grows_with_the_cases_not_with_their_square(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Counter[str]()

    def counted(name: str) -> None:
        method = getattr(Case, name)

        def counting(*cases: Any) -> Any:
            calls[name] += 1
            return method(*cases)

        monkeypatch.setattr(Case, name, counting)

    def effort(lengths: int) -> int:
        """Of planning cases that have one baseline in common."""
        cases = [attention(kernel, seq_len=n) for n in range(16, 16 + lengths) for kernel in ("naive", "flash")]
        calls.clear()
        planned = plan.make([(case, cases[0]) for case in cases], Sampling(), PLENTY, CEILINGS)
        (group,) = planned.groups
        plan.drafts(group, planned, dict.fromkeys(cases, cases[0]), set(cases))
        return calls.total()

    counted("__eq__")
    counted("__hash__")
    small = effort(10)
    assert small > 0
    assert effort(40) < 5 * small


def test_drafts_carry_what_is_known_beforehand() -> None:
    cases = [attention(kernel) for kernel in ("naive", "flash")]
    planned = made(cases)
    drafts = drafted(planned, planned.groups[0])
    assert list(drafts) == cases
    for case, draft in drafts.items():
        assert draft.case == case
        assert draft.work == ATTENTION.work_of(case)
        assert draft.predicted_bytes == ATTENTION.predict_bytes(case)
        assert draft.measurement is None


def test_times_are_predicted_with_ceilings_only() -> None:
    case = attention("flash")
    assert made([case]).predicted_seconds(case) is None
    assert made([case], ceilings=CEILINGS).predicted_seconds(case) is not None


def test_predicted_time_grows_and_keeps_inside_what_sampling_allows() -> None:
    cases = [attention("naive", seq_len=n, head_dim=64) for n in (16, 256, 4096, 16384)]
    planned = made(cases, ceilings=CEILINGS)
    times = [planned.predicted_seconds(case) or 0.0 for case in cases]
    s = planned.sampling
    assert times == sorted(times)
    assert times[0] >= s.min_rounds * plan.START_SECONDS
    for case, seconds in zip(cases, times, strict=True):
        call = planned.seconds[case]
        assert call > 0
        assert s.min_time <= seconds <= s.max_time + s.min_rounds * (plan.START_SECONDS + 4 * call)


def test_a_dtype_without_a_ceiling_is_predicted_with_float32s() -> None:
    case = attention("naive", dtype="float16", seq_len=1024)
    assert made([case], ceilings=CEILINGS).seconds[case] > 0


any_case = st.builds(
    attention,
    st.sampled_from(["naive", "flash", "math", "masked", "chunked", "cudnn"]),
    phase=st.sampled_from(["forward", "decode"]),
    seq_len=st.sampled_from([64, 1024, 4096]),
    pattern=st.sampled_from(["full", "window:32"]),
    kv_heads=st.sampled_from([4, 1]),
)


@given(
    st.lists(any_case, unique=True, max_size=20),
    st.sampled_from([None, "naive", "flash", "cudnn"]),
    st.integers(0, 2**29),
)
def test_every_case_ends_up_exactly_once(cases: list[Case], baseline: str | None, free: int) -> None:
    planned = made(cases, baseline, free)
    rows = [one.case for one in planned.left_out]
    assert sorted(case.id for case in (*rows, *planned.cases)) == sorted(case.id for case in cases)
    assert rows == [case for case in cases if case in rows]  # order kept
    budget = int(free * plan.MEMORY_SHARE)
    for group in planned.groups:
        assert list(group.cases) == [case for case in cases if case in group.cases]
        assert group.baseline is None or group.baseline in group.cases
        inputs = [min(plan.resident(case), planned.predicted_bytes[case]) for case in group.cases]
        workspaces = [planned.predicted_bytes[case] - held for case, held in zip(group.cases, inputs, strict=True)]
        assert sum(inputs) + max(workspaces) <= budget
    for one in planned.left_out:
        assert one.reason
        assert (one.status == "oom") == (ATTENTION.unsupported(one.case) is None)


def test_contexts_of_processes_that_wait_are_part_of_the_plan() -> None:
    """Fifteen processes on a GPU: their tensors fit side by side, their contexts do not."""
    cases = [attention(kernel, seq_len=n) for n in (64,) for kernel in ("naive", "flash", "math")]
    pairs = [(case, cases[0]) for case in cases]
    free = 2 * plan.CONTEXT_BYTES + 100 * 2**20
    alone = plan.make(pairs, Sampling(), free, None, context_bytes=0)
    beside = plan.make(pairs, Sampling(), int(free / 0.9), None, context_bytes=plan.CONTEXT_BYTES)
    assert [len(group.cases) for group in alone.groups] == [3]
    assert [len(group.cases) for group in beside.groups] == [2, 1]
    (row, *_) = plan.make(pairs, Sampling(), plan.CONTEXT_BYTES, None, context_bytes=plan.CONTEXT_BYTES).left_out
    assert row.status == "oom"


def test_a_captured_graph_keeps_what_it_works_in() -> None:
    """In a process of its own, and for as long as the others of its group compute."""
    eager = [attention(kernel, device="cuda:0", seq_len=2048, phase="forward_backward") for kernel in ("naive", "math")]
    graphs = [replace(case, axes=(*case.axes, ("launch", "graph"))) for case in eager]
    pairs = [(case, None) for case in graphs]
    pools = [plan.graph_pool(case, ATTENTION.predict_bytes(case)) for case in graphs]
    assert [plan.graph_pool(case, ATTENTION.predict_bytes(case)) for case in eager] == [0, 0]
    for case, pool in zip(graphs, pools, strict=True):
        peak = ATTENTION.predict_bytes(case)
        assert pool > peak / 2  # scores, of which the inputs are a small part
        (row,) = plan.make([(case, None)], Sampling(), int(1.02 * peak / 0.9), None).left_out
        assert row.status == "oom"
        assert plan.make([(case, None)], Sampling(), int(1.02 * (peak + pool) / 0.9), None).cases == (case,)
    together = [(case, graphs[0]) for case in graphs]
    peaks = [ATTENTION.predict_bytes(case) for case in graphs]
    enough = sum(peaks) + max(pools)  # both graphs, and what one of them works in before it is captured
    assert len(plan.make(together, Sampling(), int(1.02 * enough / 0.9), None).groups) == 1
    assert len(plan.make(together, Sampling(), int(0.98 * enough / 0.9), None).groups) == 2
    assert [len(group.cases) for group in plan.make(pairs, Sampling(), int(1.02 * enough / 0.9), None).groups] == [1, 1]


def test_a_gpu_for_one_process_at_a_time_has_no_turns_and_says_so() -> None:
    cases = [attention(kernel) for kernel in ("naive", "flash")]
    baselines = dict.fromkeys(cases, cases[0])
    planned = plan.make(baselines.items(), Sampling(), PLENTY, None, exclusive=True)
    assert [group.cases for group in planned.groups] == [(cases[0],), (cases[1],)]
    naive, flash = (
        plan.drafts(group, planned, dict(baselines), set(cases))[group.cases[0]] for group in planned.groups
    )
    assert (naive.notes, naive.baseline) == ((), cases[0].id)
    assert (flash.notes, flash.baseline) == ((ALONE,), None)


@pytest.mark.parametrize(
    ("device", "dtype", "condition", "says"),
    [
        ("cpu", "float32", ("launch", "graph"), "the launch axis is for GPUs"),
        ("cpu", "float32", ("fp32_precision", "tf32"), "it changes no other dtype and no CPU"),
        ("cuda:0", "bfloat16", ("fp32_precision", "tf32"), "it changes no other dtype and no CPU"),
        ("cuda:0", "float32", ("fp32_precision", "tf32"), None),
        ("cuda:0", "float32", ("launch", "graph"), None),
    ],
)
def test_conditions_of_another_device_are_refused(
    device: str, dtype: str, condition: tuple[str, str], says: str | None
) -> None:
    case = attention("naive", device=device, dtype=dtype)
    found = plan.condition(replace(case, axes=(*case.axes, condition)))
    assert found is None if says is None else says in str(found)
