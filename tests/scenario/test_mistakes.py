"""What is wrong with a scenario: all of it at once, each with its place, the text and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbench.errors import ScenarioError
from tbench.scenario import load
from tests.scenario.conftest import Complains
from tests.scenario.toy import SCENARIO

pytestmark = pytest.mark.usefixtures("toy")

BAD = """\
version: 2
name: "a/b"
titel: Wrong
component: toy
phase: [forward, forwards]
fixed: {heads: 8, dtype: fp32, causal: on}
sweep:
  seq_len: [16, 1e3, x]
  kernl: [slow]
  pattern: []
  kernel: slow
exclude: [{kernel: [slow, nope], seqlen: 3}]
include: {seq_len: 3}
baseline: slow
sampling: {target: 2, maxtime: 3, min_rounds: 1.5, cache: warm}
quick: {sweep: {seq_len: [8]}}
"""


def test_all_at_once_in_the_order_of_the_file(complains: Complains) -> None:
    assert complains(BAD) == [
        "1:10: version: 2 is not a version this tbench reads; write 1",
        "2:7: name: 'a/b' cannot name a folder; use letters, digits, -, _ and .",
        "3:1: unknown key 'titel'; did you mean 'title'?",
        "5:18: phase: 'forwards' is not a phase of toy; did you mean 'forward'?",
        "6:26: dtype: 'fp32' is not a dtype; did you mean 'float32'?",
        "6:40: 'on' is true to some YAML readers and text to others; write true, or quote it",
        "8:17: seq_len: 1000.0 is not a whole number; write 1000",
        "8:22: seq_len: 'x' is not a whole number",
        "9:3: unknown axis 'kernl'; did you mean 'kernel'?",
        "10:12: pattern: an empty list; give at least one value, or remove the key",
        "11:11: kernel: a list is needed, not 'slow'; one value belongs under fixed",
        "12:27: kernel: 'nope' is not a kernel of toy; choose from slow, fast, odd",
        "12:34: unknown axis 'seqlen'; did you mean 'seq_len'?",
        "13:10: include: a list is needed, not {'seq_len': 3}",
        "14:11: baseline: a mapping is needed, not 'slow'",
        "15:20: target: 2 is not a number above 0 to 1",
        "15:23: unknown key 'maxtime'; did you mean 'max_time'?",
        "15:47: min_rounds: 1.5 is not a whole number from 1 to 1000000",
        "15:59: cache: 'warm' is neither auto nor hot nor cold",
        "16:9: 'sweep' does not belong under quick; move it to the top level",
    ]


def test_each_has_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert all(line.startswith(f"{path}:") for line in str(caught.value).splitlines())


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("version: 1\n", "", ["1:1: version is missing; add `version: …`"]),
        ("component: toy\n", "", ["1:1: component is missing"]),
        ("component: toy", "component: tyo", ["3:12: component: 'tyo' is not a component; did you mean 'toy'?"]),
        ("component: toy", "component: [toy]", ["3:12: component: ['toy'] is not a component"]),
        ("component: toy", "component: off", ["3:12: 'off' is false to some YAML readers"]),
        ("heads: 8, ", "", ["3:12: heads and kv_heads are not given; add to fixed or sweep"]),
        ("phase: forward", "heads: 8", ["4:1: 'heads' is an axis; write it under fixed or sweep"]),
        ("heads: 8,", "heads: 8, kernel: fast,", ["8:3: 'kernel' is given already, at 5:19; remove one"]),
        ("heads: 8,", "heads: 8, phase: decode,", ["5:19: 'phase' is given already, at 4:1; remove one"]),
        ("[16, 32]", "[16, 32, 16]", ["7:21: 16 is given twice; remove one"]),
        (
            "[slow, fast]",
            "[slow, fast]\n  pattern: [window:4, {window: 4}]",
            ["9:23: window:4 is given twice; remove one"],
        ),
        (
            "[slow, fast]",
            "[slow, fast]\n  kv_heads: [8, 3]",
            ["9:17: kv_heads: 8 heads cannot share 3 KV heads evenly"],
        ),
        (
            "[slow, fast]",
            "[slow, fast]\n  kv_sharing: [mha, gqa:8]",
            ["9:21: kv_sharing: gqa:8 is the same case as kv_sh"],
        ),
        (
            "heads: 8,",
            "heads: 8, kv_heads: 8, kv_sharing: mha,",
            ["5:32: kv_heads and kv_sharing are one axis (at 5:19)"],
        ),
        ("heads: 8,", "heads: 6, kv_sharing: gqa,", ["5:31: kv_sharing: gqa is a quarter of the heads, and 6 is"]),
        ("{kernel: slow}", "{kernel: odd}", ["9:12: no case has kernel=odd: kernel is slow, fast"]),
        ("{kernel: slow}", "{heads: 8}", ["9:12: every case has heads=8; sweep heads, or drop it here"]),
        (
            "{kernel: slow}",
            "{kv_heads: 8, kv_sharing: mha}",
            ["9:11: kv_heads and kv_sharing are one axis; remove one"],
        ),
        ("baseline", "exclude: [{kernel: odd}]\nbaseline", ["9:11: this matches no case; correct it or remove it"]),
        ("baseline", "exclude: [{heads: 8}]\nbaseline", ["9:1: no case is left: all cases are excluded"]),
        ("baseline", "include: [{seq_len: 16, kernel: fast}]\nbaseline", ["9:11: the sweep has this case already"]),
        ("baseline", "include: [{kernel: odd}]\nbaseline", ["9:11: seq_len is not given; add to this entry or fixed"]),
        ("phase: forward", "phase: [forward, decode]\ninclude: [{seq_len: 8, kernel: odd}]", ["5:11: phase is swept;"]),
        (
            "[slow, fast]",
            "[slow, fast]\n  pattern: [full, {window: 010}]",
            ["9:28: '010': a number with a leading zero"],
        ),
        ("phase: forward", "phase:", ["4:7: phase: nothing is not a phase of toy"]),
        ("sweep:", "sweep: {}\nquick:", ["3:12: seq_len and kernel are not given; add to fixed or sweep"]),
        ("[16, 32]", "[1, 2" + "".join(f", {n}" for n in range(3, 20_003)) + "]", ["7:"]),
        (
            "[16, 32]",
            f"{list(range(1, 2001))}\n  batch: {list(range(1, 201))}",
            ["6:1: 800000 cases; 20000 at most, sweep fewer values"],
        ),
        (
            "{kernel: slow}",
            "{kernel: slow, seq_len: 32}\nexclude: [{kernel: slow, seq_len: 32}]",
            ["9:1: no case has seq_len=32 kernel=slow together"],
        ),
    ],
)
def test_one_mistake(complains: Complains, old: str, new: str, lines: list[str]) -> None:
    assert old in SCENARIO
    found = complains(SCENARIO.replace(old, new, 1))
    for start in lines:
        assert any(line.startswith(start) for line in found), found
    assert len(found) == len(lines)


def test_many_mistakes_are_counted_not_all_told(complains: Complains) -> None:
    found = complains(SCENARIO.replace("[16, 32]", "[" + ", ".join("x" * 100) + "]"))
    assert len(found) == 51
    assert found[-1] == "… and 50 more"


def test_long_values_are_cut(complains: Complains) -> None:
    (line,) = complains(SCENARIO.replace("[slow, fast]", f"[slow, {'f' * 5000}]"))
    assert len(line) < 200


@pytest.mark.parametrize(
    ("name", "said"),
    [("smal.yaml", "there is no such file; did you mean"), (".", "this is a folder"), ("x" * 400, "cannot be read")],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "small.yaml").write_text(SCENARIO)
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path / name)
    assert said in str(caught.value)
