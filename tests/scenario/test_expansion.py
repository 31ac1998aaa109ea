"""From a scenario to its cases: order, include, exclude, baseline."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.errors import NothingSelected, UsageError
from tbench.records import Case, Value
from tbench.scenario import Scenario, by_part, expand
from tbench.scenario.model import Point
from tests.scenario.conftest import Loads
from tests.scenario.toy import SCENARIO, TOY

pytestmark = pytest.mark.usefixtures("toy")


def told(cases: list[Case], *axes: str) -> list[tuple[object, ...]]:
    return [tuple(case[axis] for axis in axes) for case in cases]


def test_identity(loads: Loads) -> None:
    assert expand(loads(SCENARIO), "cuda:0")[1].id == (
        "toy/forward device=cuda:0 dtype=float32 batch=1 seq_len=16 heads=8 kv_heads=8 head_dim=16 causal=true "
        "pattern=full kernel=fast"
    )


def test_a_case_is_made_once(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checking, listing and selecting need the same cases, and so do modes that only sample longer."""
    made: list[Any] = []
    complete = TOY.complete

    def counting(values: dict[str, Any]) -> dict[str, Value]:
        made.append(values)
        return complete(values)

    monkeypatch.setattr(TOY, "complete", counting)
    scenario = loads(SCENARIO + "quick: {sampling: {max_time: 0.1}}\nrigorous: {seq_len: [8]}\n", quick=True)
    assert len(made) == 4 + 2
    assert len(expand(scenario, "cpu", ["kernel=fast"])) == 2
    assert len(scenario.points) == 4
    assert len(made) == 4 + 2


@pytest.mark.parametrize("select", [[], ["kernel=fast"]])
def test_sharing_out_cases_takes_a_look_at_each(
    loads: Loads, monkeypatch: pytest.MonkeyPatch, select: list[str]
) -> None:
    looks: list[Point] = []
    hashed = Point.__hash__

    def looking(point: Point) -> int:
        looks.append(point)
        return hashed(point)

    monkeypatch.setattr(Point, "__hash__", looking)

    def effort(lengths: int) -> int:
        scenario = loads(SCENARIO.replace("[16, 32]", str([*range(1, lengths + 1)])))
        looks.clear()
        for part, cases in by_part(scenario, "cpu", select):
            assert all(part.baseline_case(case) for case in cases)
        return len(looks)

    small = effort(10)
    assert small >= 10
    assert effort(40) < 5 * small


def test_modes_with_other_conditions_are_other_cases(loads: Loads) -> None:
    text = SCENARIO + "quick: {sampling: {cache: cold}}\n"
    assert [case.get("cache_state") for case in expand(loads(text, quick=True))] == ["cold"] * 4
    assert [case.get("cache_state") for case in expand(loads(text))] == [None] * 4


def test_order_is_the_sweeps_the_last_axis_fastest(loads: Loads) -> None:
    text = SCENARIO.replace("  seq_len: [16, 32]\n", "  pattern: [{window: 4}, full]\n  seq_len: [32, 16]\n")
    assert told(expand(loads(text)), "pattern", "seq_len", "kernel") == [
        ("window:4", 32, "slow"),
        ("window:4", 32, "fast"),
        ("window:4", 16, "slow"),
        ("window:4", 16, "fast"),
        ("full", 32, "slow"),
        ("full", 32, "fast"),
        ("full", 16, "slow"),
        ("full", 16, "fast"),
    ]


def test_phases_are_an_axis(loads: Loads) -> None:
    scenario = loads(SCENARIO.replace("phase: forward", "phase: [decode, forward]"))
    assert told(expand(scenario), "phase") == [("decode",)] * 4 + [("forward",)] * 4
    assert scenario.phases == ("decode", "forward")


def test_dtype_and_phase_have_defaults(loads: Loads) -> None:
    scenario = loads(SCENARIO.replace("phase: forward\n", "").replace(", dtype: float32", ""))
    assert told(expand(scenario), "phase", "dtype") == [("forward", "float32")] * 4


def test_exclude_takes_values_and_lists(loads: Loads) -> None:
    one = loads(SCENARIO + "exclude: [{kernel: slow, seq_len: 32}]\n")
    assert told(expand(one), "seq_len", "kernel") == [(16, "slow"), (16, "fast"), (32, "fast")]
    text = SCENARIO.replace("[slow, fast]", "[slow, fast, odd]") + "exclude: [{kernel: [fast, odd], seq_len: 32}]\n"
    assert told(expand(loads(text)), "seq_len", "kernel") == [(16, "slow"), (16, "fast"), (16, "odd"), (32, "slow")]


def test_exclude_sees_what_follows_from_what_is_said(loads: Loads) -> None:
    text = SCENARIO.replace("  kernel:", "  kv_sharing: [mha, gqa, mqa]\n  kernel:")
    by_number = loads(text + "exclude: [{kv_heads: 2}]\n")
    by_name = loads(text + "exclude: [{kv_sharing: gqa}]\n")
    assert told(expand(by_number), "kv_heads") == told(expand(by_name), "kv_heads")
    assert {kv for (kv,) in told(expand(by_name), "kv_heads")} == {8, 1}


def test_exclude_may_take_out_what_is_impossible(loads: Loads) -> None:
    text = SCENARIO.replace("heads: 8, ", "").replace("  kernel:", "  heads: [8, 6]\n  kv_heads: [4, 3]\n  kernel:")
    scenario = loads(text + "exclude: [{heads: 8, kv_heads: 3}, {heads: 6, kv_heads: 4}]\n")
    assert set(told(expand(scenario), "heads", "kv_heads")) == {(8, 4), (6, 3)}


def test_include_adds_single_cases_on_top_of_fixed(loads: Loads) -> None:
    scenario = loads(SCENARIO + "include: [{seq_len: 64, kernel: odd}, {heads: 4, seq_len: 16, kernel: odd}]\n")
    assert told(expand(scenario)[4:], "heads", "seq_len", "kernel") == [(8, 64, "odd"), (4, 16, "odd")]


def test_baseline_is_the_same_case_but_for_its_axes(loads: Loads) -> None:
    scenario = loads(SCENARIO)
    cases = expand(scenario)
    assert [scenario.baseline_case(case) for case in cases] == [cases[0], cases[0], cases[2], cases[2]]
    assert scenario.baseline_case(cases[0].with_(seq_len=17)) is None


def test_baseline_by_the_name_of_a_sharing(loads: Loads) -> None:
    text = SCENARIO.replace("  kernel: [slow, fast]", "  kv_heads: [8, 2, 1]\n  kernel: [slow]")
    scenario = loads(text.replace("baseline: {kernel: slow}", "baseline: {kv_sharing: mha}"))
    found = {scenario.baseline_case(case) for case in expand(scenario)}
    assert {case["kv_heads"] for case in found if case} == {8}


def test_without_a_baseline_nothing_is_compared(loads: Loads) -> None:
    scenario = loads(SCENARIO.replace("baseline: {kernel: slow}\n", ""))
    assert scenario.baseline_case(expand(scenario)[0]) is None


def test_a_model_fills_in_sizes(loads: Loads) -> None:
    text = SCENARIO.replace("heads: 8, ", "").replace("phase: forward", "model: llama-3-8b")
    assert set(told(expand(loads(text)), "heads", "kv_heads", "head_dim")) == {(32, 8, 128)}


def test_a_model_may_be_swept(loads: Loads) -> None:
    text = SCENARIO.replace("heads: 8, ", "").replace("sweep:", "sweep:\n  model: [llama-3-8b, qwen2.5-7b]")
    assert set(told(expand(loads(text)), "heads", "kv_heads")) == {(32, 8), (28, 4)}


@pytest.mark.parametrize(
    ("select", "left"),
    [
        (["kernel=fast"], [(16, "fast"), (32, "fast")]),
        (["kernel=fast seq_len=32"], [(32, "fast")]),
        (["kernel=fast", "seq_len=32,16"], [(16, "fast"), (32, "fast")]),
        (["device=cpu component=toy phase=forward kernel=slow,fast seq_len=16"], [(16, "slow"), (16, "fast")]),
        (["kv_sharing=mha pattern=full causal=true kernel=slow"], [(16, "slow"), (32, "slow")]),
    ],
)
def test_select(loads: Loads, select: list[str], left: list[tuple[object, ...]]) -> None:
    assert told(expand(loads(SCENARIO), "cpu", select), "seq_len", "kernel") == left


def test_an_identity_selects_its_case(loads: Loads) -> None:
    scenario = loads(SCENARIO)
    for case in expand(scenario, "cuda:0"):
        assert expand(scenario, "cuda:0", [case.id]) == [case]


def test_cuda_selects_any_of_them(loads: Loads) -> None:
    scenario = loads(SCENARIO)
    assert len(expand(scenario, "cuda:1", ["device=cuda"])) == 4
    with pytest.raises(NothingSelected, match="device is cuda:1"):
        expand(scenario, "cuda:1", ["device=cuda:0"])


@pytest.mark.parametrize(
    ("select", "error", "said"),
    [
        ("kernl=fast", UsageError, "unknown axis 'kernl'; did you mean 'kernel'?"),
        ("kernel=fats", UsageError, "kernel: 'fats' is not a kernel of toy; did you mean 'fast'?"),
        ("seq_len=1k", UsageError, "seq_len: '1k' is not a whole number"),
        ("seq_len=010", UsageError, "leading zero"),
        ("fast", UsageError, "'fast' is not axis=value"),
        ("kernel=", UsageError, "'kernel=' is not axis=value"),
        (" ", UsageError, "write axis=value"),
        ("device=tpu", UsageError, "'tpu' is not a device"),
        ("component=tyo", UsageError, "did you mean 'toy'?"),
        ("kernel=odd", NothingSelected, "no case has kernel=odd; kernel is slow, fast"),
        ("model=llama-3-8b", NothingSelected, "no case has model=llama-3-8b; no case has model"),
        ("seq_len=64,128", NothingSelected, "no case has seq_len=64,128; seq_len is 16, 32"),
    ],
)
def test_select_mistakes(loads: Loads, select: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as caught:
        expand(loads(SCENARIO), "cpu", [select])
    assert said in str(caught.value)


def test_terms_that_no_case_meets_together(loads: Loads) -> None:
    scenario = loads(SCENARIO + "exclude: [{kernel: slow, seq_len: 32}]\n")
    with pytest.raises(NothingSelected, match="kernel=slow and seq_len=32 together"):
        expand(scenario, "cpu", ["kernel=slow seq_len=32"])


AXES = {
    "seq_len": st.lists(st.integers(1, 64), min_size=1, max_size=3, unique=True),
    "heads": st.lists(st.sampled_from([4, 8, 12]), min_size=1, max_size=3, unique=True),
    "kv_sharing": st.lists(st.sampled_from(["mha", "gqa:2", "mqa"]), min_size=1, max_size=3, unique=True),
    "causal": st.lists(st.booleans(), min_size=1, max_size=2, unique=True),
    "dtype": st.lists(st.sampled_from(["float32", "bfloat16"]), min_size=1, max_size=2, unique=True),
    "phase": st.lists(st.sampled_from(["forward", "decode"]), min_size=1, max_size=2, unique=True),
    "pattern": st.lists(st.sampled_from(["full", "window:4"]), min_size=1, max_size=2, unique=True),
    "kernel": st.lists(st.sampled_from(["slow", "fast", "odd"]), min_size=1, max_size=3, unique=True),
}


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Scenarios as a loader could make them: a sweep in any order, with something left out."""
    order = draw(st.permutations(list(AXES)))
    sweep = {axis: tuple(draw(AXES[axis])) for axis in order}
    exclude = draw(
        st.lists(st.fixed_dictionaries({"kernel": st.just(("odd",)), "causal": st.just((True,))}), max_size=1)
    )
    return Scenario(
        name="drawn",
        title=draw(st.text(max_size=10)),
        component="toy",
        sweep=sweep,
        exclude=tuple(exclude),
        baseline={"kernel": sweep["kernel"][0]},
    )


@given(scenarios())
def test_the_plain_form_keeps_everything(scenario: Scenario) -> None:
    again = Scenario.from_dict(scenario.to_dict())
    assert again == scenario
    assert list(again.points.items()) == list(scenario.points.items())
    assert Scenario.from_dict(Scenario(name="suite", title="", parts=(scenario,)).to_dict()).parts == (scenario,)


@given(scenarios())
def test_every_case_is_possible_distinct_and_selectable(scenario: Scenario) -> None:
    if not scenario.points:
        return
    cases = expand(scenario)
    assert len(set(cases)) == len(cases)
    assert all(case.integer("heads") % case.integer("kv_heads") == 0 for case in cases)
    assert not any(case["kernel"] == "odd" and case["causal"] for case in cases if scenario.exclude)
    baselines = [scenario.baseline_case(case) for case in cases]
    assert all(b is not None and b["kernel"] == scenario.baseline["kernel"] for b in baselines)
    assert expand(scenario, "cpu", [cases[-1].id]) == [cases[-1]]
