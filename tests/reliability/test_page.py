"""docs/reliability.md names a test for every fault, and each of them exists."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_is_named_exists() -> None:
    assert len(NAMED) > 35
    assert [f"{file}::{name}" for file, name in NAMED if name not in functions(file)] == []


def test_every_fault_has_a_test_or_says_that_it_cannot_be_made_to_happen() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and line.count("|") == 4]
    faults = [line for line in rows if not line.startswith(("| fault ", "| input ", "| boundary "))]
    without = [line for line in faults if "`tests/" not in line and line not in borders()]
    assert len(faults) > 40
    assert all("not simulated here" in line and line.endswith("| none |") for line in without), without
    assert len(without) == 2


def test_the_kills_are_those_that_were_made() -> None:
    made = json.loads((ROOT / "results/reliability/kills.json").read_text(encoding="utf-8"))
    told = (
        f"So far: {made['kills']} kills of {made['cases']} cases, {made['stages']['measuring']} of them "
        "while measuring; "
        f"{made['lost']} results lost, {made['twice']} measured twice, {made['missing']} missing, "
        f"{made['left behind']} processes left behind."
    )
    assert told in " ".join(PAGE.split())
    log = (ROOT / "results/reliability/kills.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(log) == made["kills"]


def borders() -> list[str]:
    return PAGE.partition("## What crosses trust boundaries")[2].partition("Nothing from a file")[0].splitlines()
