"""The JSON Schema for editors: the one that is committed, and what it lets pass."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tbench.errors import ScenarioError
from tbench.scenario import load
from tbench.scenario.schema import COMMITTED
from tbench.yamlfile.reader import read

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SCHEMA: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
GOOD = """\
version: 1
name: good
title: Good
component: attention
phase: [forward, decode]
model: llama-3-8b
fixed: {dtype: bfloat16}
sweep:
  seq_len: [16, 32]
  kv_sharing: [mha, gqa:8]
  pattern: [full, "window:8", {window: 16}, {strided: {window: 4, stride: 4}}, {fixed: {block: 8, globals: 2}}]
  kernel: [naive, flash]
include: [{seq_len: 64, phase: forward, kernel: math}]
exclude: [{kernel: flash, pattern: [{window: 16}, "window:8"]}]
baseline: {kernel: naive}
sampling: {target: 0.05, min_time: 0, cache: cold}
quick: {seq_len: [8], sampling: {max_time: 1}}
rigorous: {sampling: {min_rounds: 20, max_rounds: 60}}
"""


def problems(text: str) -> list[str]:
    data = read(text.encode(), "f").data
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(data)]


def test_committed_is_what_tbench_prints() -> None:
    """In a fresh process: other tests register variants of their own."""
    printed = subprocess.run([sys.executable, "-m", "tbench", "schema"], capture_output=True, check=True)
    assert printed.stdout.decode() == COMMITTED.read_text(encoding="utf-8"), "write it again: tbench schema > …"


def test_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", sorted(SCENARIOS.rglob("*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_shipped_scenarios_are_valid_and_name_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert problems(text) == []
    comment, _, target = text.splitlines()[0].partition("$schema=")
    assert comment == "# yaml-language-server: "
    assert (path.parent / target).resolve() == COMMITTED.resolve()


def test_every_key_is_known_to_it(tmp_path: Path) -> None:
    assert problems(GOOD) == []
    (tmp_path / "good.yaml").write_text(GOOD)
    load(tmp_path / "good.yaml")


def test_suites() -> None:
    assert problems("version: 1\nname: all\nparts: [a.yaml]") == []
    assert problems("version: 1\nname: all\nparts: []")
    assert problems("version: 1\nname: all\nparts: [a.yaml]\nsweep: {}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1", "version: 2"),
        ("name: good\n", ""),
        ("component: attention\n", ""),
        ("component: attention", "component: attenton"),
        ("title", "titel"),
        ("[forward, decode]", "[forwards]"),
        ("llama-3-8b", "llama-3-9b"),
        ("bfloat16", "bf16"),
        ("[16, 32]", "[16, 16]"),
        ("[16, 32]", "[0]"),
        ("[16, 32]", "[]"),
        ("[16, 32]", "16"),
        ("[16, 32]", "['16']"),
        ("gqa:8", "gqa:0"),
        ("seq_len: [16, 32]", "seqlen: [16, 32]"),
        ("{window: 16}", "{windw: 16}"),
        ("stride: 4}", "stride: 4.5}"),
        ("[naive, flash]", "[naive, falsh]"),
        ("target: 0.05", "target: 0"),
        ("cache: cold", "cache: warm"),
        ("max_time: 1}", "max_time: -1}"),
        ("baseline: {kernel: naive}", "baseline: naive"),
    ],
)
def test_what_the_schema_refuses_the_loader_refuses(tmp_path: Path, old: str, new: str) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    assert problems(text)
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(ScenarioError):
        load(tmp_path / "broken.yaml")
