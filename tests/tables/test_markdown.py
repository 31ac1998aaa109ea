"""Markdown: words of any origin are shown as they are, and tables stay whole."""

from __future__ import annotations

import pytest

from tbench.tables.markdown import blocks, escaped, pipe_table
from tbench.tables.table import Cell, Column, Table


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("head_dim=64 6.9× [6.7, 7.1]", "head_dim=64 6.9× [6.7, 7.1]"),  # no markup, so nothing to escape
        ("run `tbench run a_*.yaml` again", "run `tbench run a_*.yaml` again"),
        ("died: [red]x[/red] |pipe| <b> *star*\nsecond", r"died: [red]x[/red] \|pipe\| \<b\> \*star\* second"),
        ("_so_ __init__ a_", r"\_so\_ \_\_init\_\_ a\_"),
        ("[text](http://a) ![x][y] [z]: http://b", r"[text\](http://a) ![x\][y] [z\]: http://b"),
        ("[a [b]](http://a)", r"[a [b]\](http://a)"),
        ("an odd ` and a \\", r"an odd \` and a \\"),
    ],
)
def test_nothing_is_taken_for_markup_but_code(words: str, shown: str) -> None:
    assert escaped(words) == shown


def test_a_cell_cannot_end_its_column() -> None:
    table = Table((Column("a|b"), Column("c", right=False)), ((Cell("x | y"), Cell("`p|q`")),))
    assert pipe_table(table).splitlines() == [r"| a\|b | c |", "| ---: | --- |", r"| x \| y | `p\|q` |"]


def test_a_table_with_its_remarks_and_notes() -> None:
    table = Table((Column("a"),), ((Cell("1"),),), remarks=("a <remark>",), notes=("one", "two"))
    assert list(blocks(table)) == ["| a |\n| ---: |\n| 1 |", r"a \<remark\>", "1. one\n2. two"]
    assert list(blocks(Table((), (), "caption"))) == []
