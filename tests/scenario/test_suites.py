"""Scenarios that list others."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tbench.catalog import COMPONENTS
from tbench.errors import ScenarioError
from tbench.scenario import by_part, expand, load
from tests.scenario.toy import SCENARIO, TOY

pytestmark = pytest.mark.usefixtures("toy")

SUITE = "version: 1\nname: both\ntitle: Both\nparts: [one.yaml, sub/two.yaml]\n"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "one.yaml").write_text(SCENARIO)
    (tmp_path / "sub" / "two.yaml").write_text(SCENARIO.replace("[16, 32]", "[32, 64]"))
    (tmp_path / "suite.yaml").write_text(SUITE)
    return tmp_path / "suite.yaml"


def refused(path: Path, *overrides: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(path, overrides)
    return str(caught.value)


def test_cases_are_those_of_the_parts_each_once(suite: Path) -> None:
    scenario = load(suite)
    assert [case["seq_len"] for case in expand(scenario)] == [16, 16, 32, 32, 64, 64]
    assert [point.get("seq_len") for point in scenario.points] == [16, 16, 32, 32, 64, 64]
    assert len(scenario.parts) == 2
    assert scenario.phases == ("forward",)


def test_baselines_are_those_of_the_parts(suite: Path) -> None:
    scenario = load(suite)
    baselines = [scenario.baseline_case(case) for case in expand(scenario)]
    assert [b and (b["seq_len"], b["kernel"]) for b in baselines][::2] == [(16, "slow"), (32, "slow"), (64, "slow")]


def test_selection_over_all_parts(suite: Path) -> None:
    assert [case["kernel"] for case in expand(load(suite), "cpu", ["seq_len=16,64 kernel=fast"])] == ["fast", "fast"]


def test_a_case_is_of_the_first_part_that_has_it(suite: Path) -> None:
    shares = by_part(load(suite), "cpu", ["kernel=fast"])
    assert [[case["seq_len"] for case in cases] for _, cases in shares] == [[16, 32], [64]]
    assert [[case["seq_len"] for case in cases] for _, cases in by_part(load(suite), "cpu", ["seq_len=64"])] == [
        [],
        [64, 64],
    ]


def test_a_case_is_sampled_as_the_first_part_that_has_it_says(suite: Path) -> None:
    for name, target in (("one.yaml", 0.1), ("sub/two.yaml", 0.2)):
        with (suite.parent / name).open("a") as part:
            part.write(f"sampling: {{target: {target}}}\n")
    scenario = load(suite)
    targets = [scenario.sampling_of(case).target for case in expand(scenario)[::2]]
    assert targets == [0.1, 0.1, 0.2]
    with pytest.raises(KeyError):
        scenario.sampling_of(dataclasses.replace(expand(scenario)[0], phase="decode"))


def test_a_suite_of_suites_is_flat(suite: Path) -> None:
    top = suite.with_name("top.yaml")
    top.write_text("version: 1\nname: top\nparts: [suite.yaml]\n")
    assert [part.name for part in load(top).parts] == ["small", "small"]


def test_set_must_fit_one_part(suite: Path) -> None:
    assert {case["seq_len"] for case in expand(load(suite, ["seq_len=8"]))} == {8}
    assert "--set seqlen=8: unknown axis 'seqlen'; did you mean 'seq_len'?" in refused(suite, "seqlen=8")


def test_mistakes_of_all_parts_at_once(suite: Path) -> None:
    for name in ("one.yaml", "sub/two.yaml"):
        path = suite.with_name("x").parent / name
        path.write_text(path.read_text().replace("fast", "fats"))
    suite.write_text(SUITE.replace("title: Both", "titel: Both"))
    assert refused(suite).splitlines()[0] == f"{suite}:3:1: unknown key 'titel'; did you mean 'title'?"
    suite.write_text(SUITE)
    assert [line.split(": ")[0] for line in refused(suite).splitlines()] == [
        f"{suite.parent / 'one.yaml'}:8:18",
        f"{suite.parent / 'sub' / 'two.yaml'}:8:18",
    ]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ("[oen.yaml]", "did you mean"),
        ("[one.yaml, one.yaml]", "4:19: 'one.yaml' is listed twice; remove one"),
        ("[suite.yaml]", "is a suite that holds this one; remove it"),
        ("[sub]", "4:9: 'sub': there is no such file"),
        (f"[{'x' * 300}.yaml]", "there is no such file"),
        ('["\\0.yaml"]', "is not a file"),
        ("[7]", "7 is not text"),
        ("one.yaml", "parts: a list is needed, not 'one.yaml'"),
        ("[]", "parts: an empty list"),
        ("", "parts: a list is needed, not nothing"),
    ],
)
def test_parts_that_are_not_there(suite: Path, parts: str, said: str) -> None:
    suite.write_text(SUITE.replace("[one.yaml, sub/two.yaml]", parts))
    assert said in refused(suite)


def test_a_link_to_itself_is_no_file(suite: Path) -> None:
    (suite.parent / "loop.yaml").symlink_to("loop.yaml")
    suite.write_text(SUITE.replace("[one.yaml, sub/two.yaml]", "[loop.yaml]"))
    assert "4:9: 'loop.yaml': there is no such file" in refused(suite)


def test_suites_in_suites_have_an_end(tmp_path: Path) -> None:
    for level in range(8):
        (tmp_path / f"{level}.yaml").write_text(f"version: 1\nname: s{level}\nparts: [{level + 1}.yaml]\n")
    (tmp_path / "8.yaml").write_text(SCENARIO)
    assert "more than 4 deep" in refused(tmp_path / "0.yaml")
    assert len(expand(load(tmp_path / "5.yaml"))) == 4


def test_components_with_other_axes_side_by_side(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An axis that only one of them has selects none of the other's cases, under either of its names."""
    axes = tuple(axis for axis in TOY.axes if axis.name in ("seq_len", "kernel"))
    plain = dataclasses.replace(TOY, name="plain", axes=axes, complete=dict)
    monkeypatch.setitem(COMPONENTS, "plain", plain)
    (suite.parent / "one.yaml").write_text(SCENARIO.replace("toy", "plain").replace("heads: 8, ", ""))
    both = load(suite)
    assert {case.component for case in expand(both)} == {"plain", "toy"}
    for select in ("kv_sharing=mha", "kv_heads=8", "heads=8"):
        assert {case.component for case in expand(both, "cpu", [select])} == {"toy"}
    assert {case["seq_len"] for case in expand(load(suite, ["heads=4", "seq_len=8"]))} == {8}


def test_two_suites_that_hold_each_other(tmp_path: Path) -> None:
    for own, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{own}.yaml").write_text(f"version: 1\nname: {own}\nparts: [{other}.yaml]\n")
    assert "is a suite that holds this one" in refused(tmp_path / "a.yaml")


def test_a_suite_measures_nothing_of_its_own(suite: Path) -> None:
    suite.write_text(SUITE + "sweep: {seq_len: [1]}\n")
    assert "5:1: 'sweep' cannot stand next to parts; write it in one of the parts" in refused(suite)


def test_a_suites_sampling_is_that_of_its_parts_and_a_mode_wins_over_it(suite: Path) -> None:
    (suite.parent / "one.yaml").write_text(SCENARIO + "sampling: {max_rounds: 20, max_time: 9}\n")
    suite.write_text(SUITE + "sampling: {max_rounds: 8}\n")
    one, two = load(suite).parts
    assert (one.sampling.max_rounds, one.sampling.max_time, two.sampling.max_rounds) == (8, 9, 8)
    assert {part.sampling.max_rounds for part in load(suite, rigorous=True).parts} == {60}
    assert load(suite.parent / "one.yaml").sampling.max_rounds == 20
    (suite.parent / "around.yaml").write_text(
        "version: 1\nname: around\nparts: [suite.yaml]\nsampling: {max_rounds: 6}\n"
    )
    assert {part.sampling.max_rounds for part in load(suite.parent / "around.yaml").parts} == {6}
    suite.write_text(SUITE + "sampling: {min_rounds: 9, max_rounds: 8}\n")
    assert refused(suite).endswith(
        "suite.yaml:5:24: min_rounds (9) is above max_rounds (8); lower it or raise max_rounds"
    )


def test_quick_may_leave_parts_out(suite: Path) -> None:
    suite.write_text(SUITE + "quick: {parts: [sub/two.yaml]}\ncuda: {parts: [one.yaml, sub/two.yaml]}\n")
    assert len(load(suite).parts) == len(load(suite, rigorous=True).parts) == 2
    quick = load(suite, quick=True)
    assert [Path(part.path).name for part in quick.parts] == ["two.yaml"]
    assert len(quick.devices["cuda"].parts) == 2  # a device's own list has a quick one of its own
    suite.write_text(SUITE + "cuda: {parts: [one.yaml, sub/two.yaml], quick: {parts: [one.yaml]}}\n")
    assert len(load(suite, quick=True).devices["cuda"].parts) == 1
    suite.write_text(SUITE + "quick: {parts: [two.yaml]}\n")
    assert "suite.yaml:5:17: 'two.yaml' is not one of the parts; did you mean 'sub/two.yaml'?" in refused(suite)
    suite.write_text(SUITE + "quick: {parts: [one.yaml, one.yaml]}\n")
    assert "'one.yaml' is listed twice; remove one" in refused(suite)
    suite.write_text(SUITE + "cuda: {parts: [one.yaml], quick: {parts: [sub/two.yaml]}}\n")
    assert "'sub/two.yaml' is not one of the parts" in refused(suite)
    suite.write_text(SUITE + "quick: {parts: [one.yaml], sampling: {max_rounds: 2}}\n")
    assert "'sampling' does not belong under quick of a suite, which names parts" in refused(suite)


def test_a_suite_in_a_suite_applies_its_own_quick_where_it_is_not_left_out(suite: Path) -> None:
    suite.write_text(SUITE + "quick: {parts: [one.yaml]}\n")
    around = suite.parent / "around.yaml"
    for quick, files in (("", ["one.yaml", "two.yaml"]), ("quick: {parts: [sub/two.yaml]}\n", ["two.yaml"])):
        around.write_text("version: 1\nname: around\nparts: [suite.yaml, sub/two.yaml]\n" + quick)
        assert [Path(part.path).name for part in load(around, quick=True).parts] == files


def test_what_quick_leaves_out_is_told_where_an_axis_is_missing(suite: Path) -> None:
    suite.write_text(SUITE + "quick: {parts: [one.yaml]}\n")
    with pytest.raises(ScenarioError, match=r"unknown axis 'norm'.*\(--quick leaves out sub/two.yaml\)"):
        load(suite, ["norm=rmsnorm"], quick=True)
