"""The article's table and claims as they ship: complete, in both languages, in the specification's words."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pytest

from tbench.catalog import COMPONENTS
from tbench.claims.loader import article
from tbench.claims.model import LANGUAGES, MARKS, Claim, Range, Superior
from tbench.claims.selection import CONDITIONS, STANDS_FOR, key, matches
from tbench.records import Case
from tbench.scenario import expand, load
from tbench.training.experiments import EXPERIMENTS

ROOT = Path(__file__).parents[2]

COLUMNS = ("component", "original", "improved", "benefit")
ENGLISH = [
    ("attention", "attention", "full", "sparse / GQA", "faster, less memory"),
    ("kv", "key/value matrices", "one per head", "shared (GQA)", "memory −50% or more"),
    ("reads", "data reads", "ordinary", "Flash Attention", "2–4× faster"),
    ("norm-place", "norm position", "post-norm", "pre-norm", "trains more stably"),
    ("norm", "norm method", "LayerNorm", "RMSNorm", "faster"),
    ("activation", "activation", "ReLU", "SwiGLU", "better quality"),
    ("position", "position encoding", "absolute", "RoPE", "flexible, extrapolates"),
]
CHINESE = """
|注意力|全注意力|稀疏注意力/GQA|速度↑，显存↓|
|键值矩阵|每头独立|多头共享（GQA）|显存↓50%+|
|数据读取|普通方式|Flash Attention|速度↑2-4倍|
|归一化位置|后归一化|预归一化|训练更稳|
|归一化方法|LayerNorm|RMSNorm|速度↑|
|激活函数|ReLU|SwiGLU|性能↑|
|位置编码|绝对位置|RoPE|更灵活、可外推|
"""
ROWS = {
    "attention": "C1 C2 C3 C4 C7",
    "kv": "C5 C6 C8",
    "reads": "C9 C10",
    "norm-place": "C11 C12",
    "norm": "C13 C14",
    "activation": "C15",
    "position": "C16 C17 C18 C19",
    "evolution": "C20",
    "summary": "C21 C22 C23",
}
PROPERTIES = ("packed", "shift")  # hold exactly, nothing is trained
CLAIMS = pytest.mark.parametrize("claim", article().claims, ids=lambda claim: claim.id)


def test_the_english_table() -> None:
    assert [(row.id, *(getattr(row, name).en for name in COLUMNS)) for row in article().rows] == ENGLISH


def test_the_chinese_table() -> None:
    lines = [line.strip("|").split("|") for line in CHINESE.strip().splitlines()]
    assert [[getattr(row, name).zh for name in COLUMNS] for row in article().rows] == lines
    headings = [words.zh for words in article().columns.values()]
    assert headings == ["组件", "原始Transformer", "2024年改进版", "好处", "实测", "判定"]


def test_every_claim_is_there_in_its_row() -> None:
    assert [claim.id for claim in article().claims] == [f"C{number}" for number in range(1, 24)]
    for row, ids in ROWS.items():
        assert [claim.id for claim in article().claims if claim.row == row] == ids.split()


@CLAIMS
def test_a_claim_has_words_in_both_languages_and_a_source(claim: Claim) -> None:
    for words in (claim.says, claim.source, *(regime.name for regime in claim.regimes)):
        assert all(words[language] for language in LANGUAGES)
        assert not re.search("[\u4e00-\u9fff]", words.en)
    assert re.search("[\u4e00-\u9fff]", claim.says.zh)
    assert claim.mark in MARKS
    assert claim.quoted


@CLAIMS
def test_published_figures_say_where_from_and_on_what(claim: Claim) -> None:
    for published in claim.published:
        assert published.figure and published.source and published.hardware and published.mark in MARKS


@CLAIMS
def test_regimes_name_axes_that_their_components_have(claim: Claim) -> None:
    """Training experiments are looked at in the next test."""
    general = {"component", "phase", "device", "dtype", *CONDITIONS}
    for regime in claim.regimes:
        for component in regime.tested["component"]:
            if component not in COMPONENTS:
                continue
            axes = {axis.name for axis in COMPONENTS[component].axes} | general
            for axis in (*regime.tested, *regime.against):
                assert STANDS_FOR.get(axis, axis) in axes, f"{claim.id}, {regime.name.en}: {component} has no {axis}"
            for phase in regime.tested.get("phase", ()):
                assert phase in COMPONENTS[component].phases
        assert regime.scenario.startswith("scenarios/") and regime.scenario.endswith(".yaml")


@CLAIMS
def test_regimes_name_arms_that_their_experiments_have(claim: Claim) -> None:
    for regime in claim.regimes:
        for name in regime.tested.get("experiment", ()):
            if name in PROPERTIES:
                continue
            assert name in EXPERIMENTS, f"{claim.id}, {regime.name.en}: no experiment {name}"
            arms = {*regime.tested["arm"], *regime.against.get("arm", ())}
            assert arms <= set(EXPERIMENTS[name].arms), f"{claim.id}, {regime.name.en}"


@CLAIMS
def test_the_scenario_that_a_regime_names_measures_it(claim: Claim) -> None:
    """Otherwise "not measured: run …" would be no remedy. Some kernels are for a GPU, and asked for there."""
    for regime in claim.regimes:
        cases = expanded(regime.scenario)
        tested = [case for case in cases if matches(regime.tested, case)]
        assert tested, f"{claim.id}, {regime.name.en}: {regime.scenario} has no such case"
        if not regime.against:
            continue
        without = (*regime.against, *regime.free, *regime.replicates)
        baselines = {key(case, without) for case in cases if matches(regime.against, case)}
        compared = [case for case in tested if not matches(regime.against, case) and key(case, without) in baselines]
        assert compared, f"{claim.id}, {regime.name.en}: {regime.scenario} has no baseline for it"


@lru_cache
def expanded(scenario: str) -> list[Case]:
    return [case for device in ("cpu", "cuda:0") for case in expand(load(ROOT / scenario), device)]


def test_the_rules_of_the_specification() -> None:
    nine = article().claim("c9")
    assert nine is not None and nine.regimes[0].rule == Range(2, 4)
    fifteen = article().claim("C15")
    assert fifteen is not None and fifteen.regimes[0].rule == Superior(0.005)
    six = article().claim("C6")
    assert six is not None and [vars(regime.rule)["value"] for regime in six.regimes] == [24, 10, 12]
    assert article().claim("C99") is None
