"""A section for a kind of device: what it replaces, where, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbench.errors import NothingSelected, ScenarioError
from tbench.scenario import Scenario, expand, load
from tests.scenario.conftest import Complains, Loads
from tests.scenario.toy import SCENARIO

pytestmark = pytest.mark.usefixtures("toy")

CUDA = """\
cuda:
  fixed: {dtype: bfloat16}
  sweep: {seq_len: [1024, 2048]}
  exclude: [{seq_len: 2048, kernel: slow}]
  sampling: {max_time: 8}
  quick: {seq_len: [1024]}
"""
BOTH = SCENARIO + "exclude: [{seq_len: 32, kernel: fast}]\nquick: {seq_len: [16]}\n" + CUDA


def points(scenario: Scenario, device: str) -> list[tuple[object, ...]]:
    return [(case.dtype, case["seq_len"], case["kernel"]) for case in expand(scenario, device)]


def test_each_device_has_its_own(loads: Loads) -> None:
    scenario = loads(BOTH)
    assert points(scenario, "cpu") == [("float32", 16, "slow"), ("float32", 16, "fast"), ("float32", 32, "slow")]
    assert points(scenario, "cuda:1") == [
        ("bfloat16", 1024, "slow"),
        ("bfloat16", 1024, "fast"),
        ("bfloat16", 2048, "fast"),
    ]
    assert {case.device for case in expand(scenario, "cuda:1")} == {"cuda:1"}
    assert scenario.on("cuda:0").sampling.max_time == 8
    assert scenario.on("cpu").sampling.max_time == 3


def test_a_mode_of_the_device_takes_the_place_of_the_files(loads: Loads) -> None:
    assert {n for _, n, _ in points(loads(BOTH, quick=True), "cuda:0")} == {1024}
    assert {n for _, n, _ in points(loads(BOTH, quick=True), "cpu")} == {16}
    inherited = loads(BOTH.replace("  quick: {seq_len: [1024]}\n", ""), quick=True)
    assert {n for _, n, _ in points(inherited, "cuda:0")} == {16}


def test_what_is_not_replaced_stays(loads: Loads) -> None:
    scenario = loads(SCENARIO + "exclude: [{kernel: fast, seq_len: 32}]\ncuda: {sweep: {kernel: [slow, fast, odd]}}\n")
    assert points(scenario, "cuda:0") == [
        ("float32", n, kernel) for n in (16, 32) for kernel in ("slow", "fast", "odd") if (n, kernel) != (32, "fast")
    ]


def test_an_axis_may_be_fixed_on_one_device_and_swept_on_another(loads: Loads) -> None:
    scenario = loads(SCENARIO + "cuda:\n  fixed: {seq_len: 64}\n  sweep: {heads: [8, 16]}\n")
    assert {(case["seq_len"], case["heads"]) for case in expand(scenario, "cuda:0")} == {(64, 8), (64, 16)}
    assert {(case["seq_len"], case["heads"]) for case in expand(scenario)} == {(16, 8), (32, 8)}


def test_baselines_are_found_on_each_device(loads: Loads) -> None:
    scenario = loads(BOTH)
    for device in ("cpu", "cuda:0"):
        case = next(case for case in expand(scenario, device) if case["kernel"] == "fast")
        baseline = scenario.baseline_case(case)
        assert baseline == case.with_(kernel="slow")
        assert scenario.has(case)
    assert not scenario.has(expand(scenario)[0].with_(seq_len=1024))


def test_a_run_keeps_what_its_device_measures(loads: Loads) -> None:
    """Its file stays as it was before there were such sections."""
    there = loads(BOTH).on("cuda:0")
    again = Scenario.from_dict(there.to_dict())
    assert "devices" not in there.to_dict()
    assert list(again.points) == list(there.points)
    assert Scenario.from_dict(loads(BOTH).to_dict()).on("cuda:0").points == there.points


def test_set_applies_everywhere(loads: Loads) -> None:
    scenario = loads(BOTH, ["seq_len=4"])
    assert {n for device in ("cpu", "cuda:0") for _, n, _ in points(scenario, device)} == {4}


def test_a_set_that_does_not_fit_one_device_is_refused_there_only(loads: Loads) -> None:
    scenario = loads(BOTH, ["seq_len=2048", "kernel=slow"])
    assert len(expand(scenario, "cpu")) == 1
    with pytest.raises(ScenarioError, match="no case is left on cuda: all cases are excluded"):
        expand(scenario, "cuda:0")


def test_selection_is_among_the_devices_cases(loads: Loads) -> None:
    scenario = loads(BOTH)
    assert len(expand(scenario, "cuda:0", ["seq_len=2048"])) == 1
    with pytest.raises(NothingSelected, match="seq_len is 16, 32"):
        expand(scenario, "cpu", ["seq_len=2048"])


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("cuda: {seq_len: [1]}", "10:8: 'seq_len' is an axis; write it under fixed or sweep of cuda"),
        ("cuda: {baseline: {kernel: odd}}", "10:8: 'baseline' does not belong under cuda; move it to the top level"),
        ("cuda: {sweep: {seq_len: 4}}", "10:25: seq_len: a list is needed, not 4; one value belongs under fixed"),
        ("cuda: {sweep: {seq_len: [4, 4]}}", "10:29: 4 is given twice; remove one"),
        ("cuda: {exclude: [{seq_len: 4}]}", "10:18: this matches no case; correct it or remove it"),
        ("cuda: {quick: {kv_heads: [3]}}", "10:27: kv_heads: 8 heads cannot share 3 KV heads evenly"),
        ("cuda: {fixed: {kernel: odd}}", "9:12: no case on cuda has kernel=slow: kernel is odd"),
        (
            "cuda: {sampling: {min_time: 3, max_time: 2}}",
            "10:29: min_time (3) is above max_time (2); lower it or raise",
        ),
        (
            "cuda: {fixed: {seq_len: 4}, sweep: {seq_len: [4]}}",
            "10:37: 'seq_len' is given already, at 10:16; remove one",
        ),
        ("cuda: {fixed: {kv_heads: 8}, sweep: {kv_sharing: [mha]}}", "kv_heads and kv_sharing are one axis"),
        ("gpu: {sweep: {seq_len: [4]}}", "unknown key 'gpu'"),
        ("cuda: 4", "cuda: a mapping is needed, not 4"),
    ],
)
def test_mistakes_have_their_place(complains: Complains, section: str, said: str) -> None:
    (found,) = complains(SCENARIO + section + "\n")
    assert said in found


def test_a_suite_applies_its_parts_sections_and_may_have_other_parts(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(BOTH)
    (tmp_path / "two.yaml").write_text(SCENARIO)
    suite = tmp_path / "suite.yaml"
    suite.write_text("version: 1\nname: all\nparts: [one.yaml, two.yaml]\ncuda: {parts: [one.yaml]}\n")
    scenario = load(suite)
    assert len(expand(scenario, "cpu")) == 4  # two.yaml has one that one.yaml excludes
    assert points(scenario, "cuda:0") == points(load(tmp_path / "one.yaml"), "cuda:0")
    around = tmp_path / "around.yaml"
    around.write_text("version: 1\nname: around\nparts: [suite.yaml]\n")
    assert points(load(around), "cuda:0") == points(scenario, "cuda:0")
    suite.write_text("version: 1\nname: all\nparts: [one.yaml]\ncuda: {parts: [none.yaml]}\n")
    with pytest.raises(ScenarioError, match=r"suite.yaml:4:16: 'none.yaml': there is no such file"):
        load(suite)
