"""The scenarios that ship: what each must hold to show what it promises."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from tbench.catalog import get
from tbench.records import Case
from tbench.scenario import Scenario, expand, load

FOLDER = Path(__file__).parents[2] / "scenarios"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@functools.cache
def shipped(name: str, **mode: bool) -> tuple[Scenario, list[Case]]:
    scenario = load(FOLDER / f"{name}.yaml", **mode)
    return scenario, expand(scenario)


def test_there_are_some() -> None:
    assert {"attention", "kv_sharing", "sparse"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_named_as_its_file_and_told_in_words(name: str) -> None:
    scenario, _ = shipped(name)
    assert scenario.name == name
    assert scenario.title != name
    assert len(scenario.description) > 40


@pytest.mark.parametrize("mode", [{}, {"quick": True}, {"rigorous": True}], ids=["plain", "quick", "rigorous"])
@pytest.mark.parametrize("name", NAMES)
def test_every_case_may_run_on_a_cpu_and_has_its_baseline(name: str, mode: dict[str, bool]) -> None:
    scenario, cases = shipped(name, **mode)
    for case in cases:
        assert get(case.component).unsupported(case) is None, case.id
        baseline = scenario.baseline_case(case)
        assert baseline is not None
        assert baseline in cases, case.id


@pytest.mark.parametrize(("name", "device"), [("decode", "cuda:0"), ("document", "cpu")])
def test_a_whole_identity_selects_its_case_alone(name: str, device: str) -> None:
    """Also where another case has an axis more: ragged caches, another allocator."""
    scenario = load(FOLDER / f"{name}.yaml")
    for case in expand(scenario, device):
        if name == "decode" or (case.component == "attention" and case["seq_len"] == 1024):
            assert expand(scenario, device, [case.id]) == [case]


def test_an_axis_that_is_named_where_it_is_unusual_is_selected_by_its_usual_value() -> None:
    scenario = load(FOLDER / "decode.yaml")
    equal = expand(scenario, "cuda:0", ["lengths=equal"])
    assert equal == [case for case in expand(scenario, "cuda:0") if case.get("lengths") is None]
    assert {case["batch"] for case in equal} == {1, 16}


@pytest.mark.parametrize("name", NAMES)
def test_quick_is_shorter_and_rigorous_the_same_cases(name: str) -> None:
    (plain, cases), (quick, few), (rigorous, many) = (
        shipped(name),
        shipped(name, quick=True),
        shipped(name, rigorous=True),
    )
    if plain.parts or get(cases[0].component).experiment:
        assert few != cases  # experiments have a budget of their own
        assert many == cases
        return
    assert set(few) < set(cases)
    assert many == cases
    assert quick.sampling.max_time < plain.sampling.max_time < rigorous.sampling.max_time


@pytest.mark.parametrize("mode", [{}, {"quick": True}, {"rigorous": True}], ids=["plain", "quick", "rigorous"])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "allocator"])  # which is for CPUs
def test_every_case_for_a_gpu_may_run_on_one_and_has_its_baseline(name: str, mode: dict[str, bool]) -> None:
    """But for what needs a package that is not installed."""
    scenario = load(FOLDER / f"{name}.yaml", **mode)
    cases = expand(scenario, "cuda:0")
    for case in cases:
        reason = get(case.component).unsupported(case)
        assert reason is None or "not installed" in reason, case.id
        baseline = scenario.baseline_case(case)
        assert baseline is not None
        assert baseline in cases, case.id


@pytest.mark.parametrize("name", ["attention", "sparse", "reads", "kv_sharing", "norm", "activation", "evolution"])
def test_a_gpu_has_its_own_sizes_in_halves(name: str) -> None:
    _, here = shipped(name)
    there = expand(shipped(name)[0], "cuda:0")
    assert {case.dtype for case in there} == {"bfloat16"} and {case.dtype for case in here} == {"float32"}
    assert max(case["seq_len"] for case in there) >= max(case["seq_len"] for case in here)


def test_what_is_promised_can_be_seen_in_quick() -> None:
    """naive against flash at 4096; full against a window of 256 at 16384; MHA, GQA, MQA with a cache of 16384."""
    _, attention = shipped("attention", quick=True)
    _, sparse = shipped("sparse", quick=True)
    _, sharing = shipped("kv_sharing", quick=True)
    at_4096 = {case["kernel"] for case in attention if case["seq_len"] == 4096 and case["pattern"] == "full"}
    assert {"naive", "flash"} <= at_4096
    at_16384 = {(case["pattern"], case["kernel"]) for case in sparse if case["seq_len"] == 16384}
    assert {("full", "flash"), ("window:256", "chunked"), ("window:256", "flex")} <= at_16384
    decode = {case["kv_heads"] for case in sharing if case.phase == "decode" and case["seq_len"] == 16384}
    assert decode == {32, 8, 1}


def test_the_largest_cache_is_half_a_gibibyte_and_more() -> None:
    _, cases = shipped("kv_sharing", quick=True)
    held = {get("attention").work_of(case).kv_cache_bytes for case in cases if case.phase == "decode"}
    assert max(size for size in held if size is not None) == 512 * 2**20
