"""A mistake in the data is reported with file, line, column and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbench.claims.loader import HERE, load
from tbench.errors import UsageError

GOOD = """\
claims:
  - id: X1
    row: norm
    says: {en: It is faster., zh: 更快。}
    source: {where: {en: here, zh: 此处}, mark: M}
    scenario: scenarios/norm.yaml
    regimes:
      - name: {en: all, zh: 全部}
        tested: {component: norm, causal: true, seq_len: 1024}
        against: {norm: layernorm}
        measure: speedup
        rule: {range: {low: 1.05}}
"""
TABLE = """\
title: {en: t, zh: 表}
columns: {component: {en: c, zh: 组件}}
rows:
  - id: norm
    component: {en: c, zh: 组件}
    original: {en: o, zh: 原}
    improved: {en: i, zh: 新}
    benefit: {en: b, zh: 好}
    judged_by: [X1]
    short: {en: c, zh: 组件}
    promises:
      - {claim: X1, change: {en: o → i, zh: 原 → 新}, claimed: {en: b, zh: 好}}
"""


def read(folder: Path, claims: str = GOOD, table: str = TABLE) -> None:
    (folder / "claims.yaml").write_text(claims, encoding="utf-8")
    (folder / "table.yaml").write_text(table, encoding="utf-8")
    found = load(folder / "table.yaml", folder / "claims.yaml")
    regime = found.claims[0].regimes[0]
    assert regime.tested == {"component": ("norm",), "causal": ("true",), "seq_len": ("1024",)}


def test_a_good_file_is_read(tmp_path: Path) -> None:
    read(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "measure: speedup",
            "measure: speedupp",
            "claims.yaml:11:18: X1, all: measure is 'speedupp'; did you mean 'speedup'?",
        ),
        ("    row: norm", "    row: norms", "claims.yaml:3:10: X1: row is 'norms'; did you mean 'norm'?"),
        ("mark: M", "mark: W", "claims.yaml:5:47: X1: mark is 'W'; choose from V, Q, M, E"),
        ("    row: norm\n", "", "claims.yaml:2:5: row is missing"),
        ("zh: 更快。", "zu: 更快。", "claims.yaml:4:31: X1, says: unknown key 'zu'; choose from en, zh"),
        (", zh: 更快。", "", "claims.yaml:4:11: X1, says: zh is missing"),
        ("en: It is faster.", "en: ''", "claims.yaml:4:16: X1, says: en is empty; write a text"),
        ("{low: 1.05}", "{low: fast}", "claims.yaml:12:29: X1, all: low is 'fast'; write a number"),
        ("{low: 1.05}", "{low: [1]}", "claims.yaml:12:29: X1, all: low is [1]; write a number"),
        ("{low: 1.05}", "{}", "claims.yaml:12:23: X1, all: low is missing"),
        ("{low: 1.05}", "{low: 4, high: 2}", "claims.yaml:12:23: X1, all: a range needs neutral ≤ low ≤ high"),
        ("{range: {low: 1.05}}", "{rang: {low: 1}}", "X1, all: unknown key 'rang'; did you mean 'range'?"),
        (
            "{range: {low: 1.05}}",
            "{range: {low: 1}, exact: {value: 1}}",
            "claims.yaml:12:15: X1, all: a rule is one of",
        ),
        ("{range: {low: 1.05}}", "{at_most: {limit: 2, usable: 1}}", "usable is the looser limit; write one above 2"),
        ("{range: {low: 1.05}}", "{superior: {}}", "superior does not judge speedup"),
        ("        against: {norm: layernorm}\n", "", "X1, all: speedup compares; add against:"),
        ("measure: speedup", "measure: slope", "slope of what? add of:"),
        ("measure: speedup", "measure: slope\n        of: latency", "a slope along which axis? add along: seq_len"),
        ("measure: speedup", "measure: slope\n        of: hope", "'hope' has no slope; write latency or peak_memory"),
        ("measure: speedup", "measure: extrapolation", "at which multiples of the trained length? add at:"),
        (
            "measure: speedup",
            "measure: speedup\n        headline: false",
            "claims.yaml:8:7: X1: has no headline regime",
        ),
        ("measure: speedup", "measure: speedup\n        headline: maybe", "headline is 'maybe'; write true or false"),
        (
            "measure: speedup",
            "measure: speedup\n        measure: number",
            "claims.yaml:12:9: 'measure' is given twice, first at 11:9; remove one",
        ),
        ("seq_len: 1024", "seq_len: {least: 3}", "seq_len is {'least': 3}; write a value or a list of values"),
        ("tested: {", "tested: [", "is not YAML"),
        ("mark: M", "mark: on", "'on' is true to some YAML readers and text to others"),
        ("mark: M", f"mark: {'[' * 20}", "nested more than 12 deep"),
        ("    regimes:", "    published: 3\n    regimes:", "X1: published is 3; write a list"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError) as told:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert message in str(told.value)


def test_an_id_that_is_there_twice(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"claims.yaml:13:5: X1: this id is used twice"):
        read(tmp_path, GOOD + GOOD.removeprefix("claims:\n"))


def test_a_row_that_is_judged_by_no_claim(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"table.yaml:9:16: norm: judged_by names X2"):
        read(tmp_path, table=TABLE.replace("X1", "X2"))


def test_a_promise_is_of_a_claim_that_its_row_is_judged_by(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"table.yaml:12:17: claim is 'C9'; choose from X1"):
        read(tmp_path, table=TABLE.replace("claim: X1", "claim: C9"))


def test_a_claim_without_regimes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="X1: has no regime: say under which conditions"):
        read(tmp_path, GOOD[: GOOD.index("    regimes:")] + "    regimes: []\n")


@pytest.mark.parametrize(
    ("content", "message"), [("", "is empty; start with `claims:`"), ("[1]", "a mapping is needed, not a list")]
)
def test_a_file_that_holds_something_else(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(tmp_path, content)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none.yaml: there is no such file"):
        load(tmp_path / "none.yaml", HERE / "claims.yaml")


def test_the_example_in_the_documentation_is_a_claim(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "claims.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "claims.yaml").write_text(
        (HERE / "claims.yaml").read_text(encoding="utf-8") + "\n" + example, encoding="utf-8"
    )
    assert load(HERE / "table.yaml", tmp_path / "claims.yaml").claims[-1].id == "C24"
