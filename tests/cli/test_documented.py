"""Every command in README, docs and examples is one that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tbench.cli import verbs

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("*/README.md"))]
SPAN = re.compile(r"`(tbench [a-z][^`]*)`")
LINE = re.compile(r"^ {4,}(?:\$ |- run: |run: )?(tbench [a-z].*)$", re.MULTILINE)
OPTIONAL = re.compile(r"\[[^]]*\]")
NAMED = ("call",)  # `tbench call` is a range in a trace


def commands() -> list[tuple[str, str]]:
    """Page and command, as they stand there."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        found += [(page.name, one[1]) for pattern in (SPAN, LINE) for one in pattern.finditer(text)]
    return [(page, command) for page, command in dict.fromkeys(found) if command.split()[1] not in NAMED]


def words(command: str) -> list[str]:
    """Without a comment, what is optional, and where to pipe it."""
    plain = re.split(r"\s\s+|[|;>]|&&", OPTIONAL.sub("", command).replace("…", "X"), maxsplit=1)[0]
    return shlex.split(plain, comments=True)[1:]


def test_there_are_some() -> None:
    assert len(commands()) > 60


@pytest.mark.parametrize(("page", "command"), commands())
def test_a_documented_command_is_taken(page: str, command: str) -> None:
    """Parsed as the command line parses it, and not carried out. Where a verb stands alone it is only named."""
    context = verbs().make_context("tbench", words(command), resilient_parsing=True)
    name, verb, rest = verbs().resolve_command(context, words(command))
    if hasattr(verb, "resolve_command"):
        context = verb.make_context(name, list(rest), parent=context, resilient_parsing=True)
        name, verb, rest = verb.resolve_command(context, list(rest))
    assert verb is not None, name
    if rest:
        verb.make_context(name, list(rest), parent=context)
