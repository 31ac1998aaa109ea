"""What users read is plain English: README, docs, help texts, errors and notes avoid turns that must be translated."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
SOURCES = sorted((ROOT / "tbench").rglob("*.py"))
DATA = [
    *sorted((ROOT / "tbench/claims").glob("*.yaml")),
    *sorted((ROOT / "scenarios").rglob("*.yaml")),
    *sorted((ROOT / "examples").rglob("*.yaml")),
]
CLI = ROOT / "tbench/cli/app.py"  # its docstrings are help texts

TURNS = {
    r"\btold\b": "reported, listed, shown",
    r"\btells? (of|apart|the|how|that)\b": "reports, shows",
    r"\b(could|can) not be had\b|\bto be had\b": "missing, unavailable",
    r"(?<!there )\b(is|are) no [a-z]+[;,.:]": "is not a …",
    r"\bwhat became of\b": "the outcome of",
    r"\ba (line|case|side|call|row) a (case|line|run|round)\b|\bone a line\b|\brounds a side\b": "per",
    r"\b(a|an) \w+ of (its|their) own\b|\bof (your|the user's) own\b": "its own …; custom",
    r"\bthe user's own\b": "custom",
    r"\bin (its|their) (stead|place)\b|\bplace of (its|a|the) ": "instead; path",
    r"\b(weighs?|weighed)\b": "measures memory",
    r"\btextbook\b": "unfused, naive",
    r"\bof limit\b|\bshare of the limit\b": "% of peak",
    r"\bin halves\b": "half precision",
    r"\bgoes? on\b|\bwent on\b": "continues",
    r"\bknown to ±[\d.]+% only\b": "only known to",
    r"\bhow positions are\b|\bwhere the norm stands\b": "position encoding, norm position",
    r"\bthere is: |\bthere is \{": "choose from",
}
WORST = re.compile("|".join(f"(?:{turn})" for turn in TURNS), re.IGNORECASE)


def found(text: str) -> list[str]:
    """The turns in a text, whatever its line breaks."""
    return [match[0] for match in WORST.finditer(re.sub(r"\s+", " ", text))]


def sentences(source: str, help_texts: bool = False) -> Iterator[tuple[int, str]]:
    """Line and text of string literals that may reach a user: neither docstrings nor single words.

    What an f-string computes is `{…}`. `help_texts`: docstrings count too, as typer prints them.
    """
    tree = ast.parse(source)
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and not help_texts:
            skipped.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = (str(part.value) if isinstance(part, ast.Constant) else "{…}" for part in node.values)
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.lineno, node.value


def texts(value: object) -> Iterator[str]:
    """Every string in YAML data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages(page: Path) -> None:
    assert found(page.read_text(encoding="utf-8")) == []


def test_messages_and_help() -> None:
    bad = [
        (f"{path.relative_to(ROOT)}:{line}", turns, text)
        for path in SOURCES
        for line, text in sentences(path.read_text(encoding="utf-8"), help_texts=path == CLI)
        if (turns := found(text))
    ]
    assert bad == []


@pytest.mark.parametrize("path", DATA, ids=lambda path: str(path.relative_to(ROOT)))
def test_titles_and_claims(path: Path) -> None:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [turn for text in texts(data) for turn in found(text)] == []


def test_the_guard_sees_what_it_should() -> None:
    """It finds the turns in messages, over line breaks and in f-strings, and passes docstrings and identifiers."""
    assert found("A figure that could not\nbe had is empty") == ["could not be had"]
    assert found("'x' is no cache; write full") == ["is no cache;"]
    assert found("there is no such file; did you mean y?") == []
    source = '"""It is told."""\ntold = "told"\nraise ValueError(f"the case {told!r} is told " "here")\n'
    assert [(line, found(text)) for line, text in sentences(source)] == [(3, ["told"])]
    assert [line for line, _ in sentences(source, help_texts=True)] == [1, 3]
    assert len(PAGES) > 10
    assert sum(1 for path in SOURCES for _ in sentences(path.read_text(encoding="utf-8"))) > 500
