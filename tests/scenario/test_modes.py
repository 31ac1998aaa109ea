"""One file run in several ways: --quick, --rigorous, --set."""

from __future__ import annotations

import pytest

from tbench.errors import ScenarioError, UsageError
from tbench.records import Sampling
from tbench.scenario import expand
from tests.scenario.conftest import Complains, Loads
from tests.scenario.toy import SCENARIO

pytestmark = pytest.mark.usefixtures("toy")

QUICK = SCENARIO + "quick: {seq_len: [8], sampling: {max_time: 0.5}}\nrigorous: {kernel: [slow, fast, odd]}\n"


def points(scenario: object, *axes: str) -> list[tuple[object, ...]]:
    return [tuple(case[axis] for axis in axes) for case in expand(scenario)]  # type: ignore[arg-type]


def test_quick_replaces_the_axes_it_names(loads: Loads) -> None:
    assert points(loads(QUICK, quick=True), "seq_len", "kernel") == [(8, "slow"), (8, "fast")]
    assert points(loads(QUICK), "seq_len") == [(16,), (16,), (32,), (32,)]
    assert len(points(loads(QUICK, rigorous=True), "kernel")) == 6


def test_sampling_of_a_mode(loads: Loads) -> None:
    plain, quick, rigorous = loads(QUICK), loads(QUICK, quick=True), loads(QUICK, rigorous=True)
    assert plain.sampling == Sampling()
    assert quick.sampling.max_time == 0.5
    assert quick.sampling.target > plain.sampling.target > rigorous.sampling.target
    assert quick.sampling.min_rounds <= plain.sampling.min_rounds < rigorous.sampling.min_rounds


def test_what_a_mode_means_wins_over_the_files_sampling_and_its_own_section_over_both(loads: Loads) -> None:
    text = SCENARIO + "sampling: {target: 0.2, max_time: 2, turns: 7}\nquick: {sampling: {target: 0.3}}\n"
    quick = loads(text, quick=True).sampling
    assert (quick.target, quick.max_time, quick.turns) == (0.3, 1.0, 7)


def test_a_limit_gives_way_to_one_that_was_said_later(loads: Loads) -> None:
    text = SCENARIO + "sampling: {min_time: 3, max_time: 4, min_rounds: 30, max_rounds: 30}\n"
    quick = loads(text, quick=True).sampling
    assert (quick.min_time, quick.max_time) == (1.0, 1.0)
    assert quick.min_rounds <= quick.max_rounds


def test_limits_that_contradict_each_other_in_one_place(complains: Complains) -> None:
    assert complains(SCENARIO + "sampling: {min_time: 3, max_time: 2}\n") == [
        "10:22: min_time (3) is above max_time (2); lower it or raise max_time"
    ]


def test_a_mistake_in_a_mode_shows_without_it(complains: Complains) -> None:
    assert complains(SCENARIO + "quick: {kv_heads: [3]}\n") == [
        "10:20: kv_heads: 8 heads cannot share 3 KV heads evenly"
    ]
    assert complains(SCENARIO + "quick: {kernel: [fast, odd]}\n") == [
        "9:12: no case with --quick has kernel=slow: kernel is fast, odd"
    ]


def test_quick_and_rigorous_exclude_each_other(loads: Loads) -> None:
    with pytest.raises(UsageError, match="mutually exclusive"):
        loads(SCENARIO, quick=True, rigorous=True)


@pytest.mark.parametrize(
    ("override", "axes", "left"),
    [
        ("seq_len=8", ("seq_len",), {(8,)}),
        ("seq_len=8,4", ("seq_len",), {(8,), (4,)}),
        ("heads=4,2", ("heads", "kv_heads"), {(4, 4), (2, 2)}),
        ("kv_heads=4,1", ("kv_heads",), {(4,), (1,)}),
        ("kv_sharing=mha,gqa", ("kv_heads",), {(8,), (2,)}),
        ("pattern=full,window:4", ("pattern",), {("full",), ("window:4",)}),
        ("pattern=[full, {window: 4}]", ("pattern",), {("full",), ("window:4",)}),
        ("pattern={window: 4}", ("pattern",), {("window:4",)}),
        ("causal=false", ("causal",), {(False,)}),
        ("dtype=bfloat16", ("dtype",), {("bfloat16",)}),
        ("phase=forward,decode", ("phase",), {("forward",), ("decode",)}),
        ("model=llama-3-8b", ("heads", "kv_heads", "head_dim"), {(32, 8, 128)}),
        (" kernel = odd ", ("kernel",), {("odd",)}),
    ],
)
def test_set_replaces_an_axis(loads: Loads, override: str, axes: tuple[str, ...], left: set[object]) -> None:
    assert set(points(loads(SCENARIO, [override]), *axes)) == left


def test_set_keeps_the_axis_in_its_place(loads: Loads) -> None:
    assert points(loads(SCENARIO, ["seq_len=4,2"]), "seq_len", "kernel") == [
        (4, "slow"),
        (4, "fast"),
        (2, "slow"),
        (2, "fast"),
    ]


def test_set_replaces_the_other_name_of_an_axis(loads: Loads) -> None:
    text = SCENARIO.replace("  kernel:", "  kv_sharing: [mha, mqa]\n  kernel:")
    assert {kv for (kv,) in points(loads(text, ["kv_heads=4,2"]), "kv_heads")} == {4, 2}


def test_set_wins_over_quick(loads: Loads) -> None:
    assert {n for (n,) in points(loads(QUICK, ["seq_len=4"], quick=True), "seq_len")} == {4}


def test_set_keeps_only_included_cases_with_its_values(loads: Loads) -> None:
    text = SCENARIO + "include: [{seq_len: 64, kernel: odd}, {seq_len: 128, kernel: odd}]\n"
    assert (64, "odd") in points(loads(text, ["seq_len=16,64"]), "seq_len", "kernel")
    assert (128, "odd") not in points(loads(text, ["seq_len=16,64"]), "seq_len", "kernel")


def test_with_set_a_baseline_need_not_be_there(loads: Loads) -> None:
    scenario = loads(SCENARIO, ["kernel=fast"])
    (case, _) = expand(scenario)
    baseline = scenario.baseline_case(case)
    assert baseline is not None
    assert baseline["kernel"] == "slow"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["seq_len"], "--set seq_len: write axis=value or axis=a,b"),
        (["seq_len="], "write axis=value"),
        (["=4"], "write axis=value"),
        (["seq_len=[]"], "write axis=value"),
        (["seq_len=[1, 2"], "this is not YAML"),
        (["seq_len=1], x: [2"], "this is not YAML"),
        (["seq_len=on"], "write true, or quote it"),
        (["seq_len=010"], "leading zero"),
        (["seq_len=!!python/name:os.system 1"], "tags are not read"),
        (["sequence_length=4"], "unknown axis 'sequence_length'"),
        (["seqlen=4"], "did you mean 'seq_len'?"),
        (["kernel=fsat"], "--set kernel=fsat: kernel: 'fsat' is not a kernel of toy; did you mean 'fast'?"),
        (["seq_len=4,4"], "4 is given twice"),
        (["seq_len=4", "seq_len=8"], "seq_len is set twice"),
        (["kv_heads=4", "kv_sharing=mqa"], "kv_heads and kv_sharing are one axis"),
        (["kv_heads=3"], "--set kv_heads=3: kv_heads: 8 heads cannot share 3 KV heads evenly"),
    ],
)
def test_set_mistakes(loads: Loads, overrides: list[str], said: str) -> None:
    with pytest.raises((UsageError, ScenarioError)) as caught:
        loads(SCENARIO, overrides)
    assert said in str(caught.value)
    assert str(caught.value).startswith("--set ")
