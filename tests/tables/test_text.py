"""Text: nothing is lost, nothing is wider than requested, and colour is there only where it is wanted."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tbench.tables.table import Cell, Column, Table
from tbench.tables.text import GAP, LEAST, NOTES_WIDTH, PROSE, Sheet, fitted, wrapped

words = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
TABLE = Table(
    (Column("case", right=False), Column("time", rank=1), Column("peak memory", rank=2)),
    (
        (Cell("flash"), Cell("12.3 ms", "good"), Cell("8.00 MiB")),
        (Cell("naive"), Cell("101 ms"), Cell("64.0 MiB", "quiet")),
    ),
    "attention forward",
    breaks=frozenset({1}),
    remarks=("on a busy machine",),
    notes=("the first note",),
)


def printed(table: Table, width: int, colour: bool = False) -> list[str]:
    sheet = Sheet(width, colour)
    sheet.table(table, elsewhere=", and so does --format md")
    return str(sheet).splitlines()


def test_a_table_with_all_that_belongs_to_it() -> None:
    assert printed(TABLE, 80) == [
        "attention forward",
        "                    peak",
        "case      time    memory",
        "────────────────────────",
        "flash  12.3 ms  8.00 MiB",
        "",
        "naive   101 ms  64.0 MiB",
        "[1] the first note",
        "on a busy machine",
    ]


def test_columns_of_high_rank_go_first_and_are_named() -> None:
    assert [column.name for column in fitted(TABLE, 15)[0].columns] == ["case", "time"]
    assert fitted(TABLE, 15)[1] == ["peak memory"]
    assert fitted(TABLE, 5)[1] == ["time", "peak memory"]
    assert fitted(TABLE, 1)[0].columns == (Column("case", right=False),)
    shown = printed(TABLE, 20)
    assert "No room for: peak memory. A wider terminal shows them, and so does --format md." in " ".join(shown)


def test_a_long_cell_goes_on_in_its_own_column() -> None:
    assert printed(Table.of_words(("a", "what"), [("x", "one two three four")]), 16) == [
        "a  what",
        "────────────────",
        "x  one two three",
        "   four",
    ]


def test_without_headings_there_is_no_line_below_them() -> None:
    assert printed(Table.of_words(("", ""), [("memory", "16.0 GiB"), ("load", "0")], "machine"), 80) == [
        "machine",
        "memory  16.0 GiB",
        "load    0",
    ]


def test_a_table_without_a_line_shows_its_caption_only() -> None:
    assert printed(Table.of_words(("a", "b"), [], "machine"), 80) == ["machine"]
    assert printed(Table((), ()), 80) == []


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.tuples(
            st.lists(words, min_size=n, max_size=n), st.lists(st.lists(words, min_size=n, max_size=n), min_size=1)
        )
    ),
    st.integers(16, 80),
)
def test_every_character_is_there_and_lines_fit(table: tuple[list[str], list[list[str]]], width: int) -> None:
    names, lines = table
    shown = printed(Table.of_words(names, lines), width)
    narrowest = len(names) * LEAST + len(GAP) * (len(names) - 1)
    assert all(len(line) <= max(width, narrowest) for line in shown)
    told = "".join("".join(row) for row in (names, *lines))
    assert sorted("".join(shown).replace(" ", "").replace("─", "")) == sorted(told)


@given(st.text(st.sampled_from("ab 注意力×\n"), max_size=60), st.integers(2, 20))
def test_folded_lines_are_no_wider_than_asked_and_lose_nothing(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_notes_are_as_wide_as_can_be_read_and_stand_apart() -> None:
    sheet = Sheet(200, colour=False)
    sheet.note("[12] " + "word " * 40)
    sheet.note("word " * 40)
    first, second, _, third, *_ = str(sheet).splitlines()
    assert first.startswith("[12] word") and second.startswith("     word") and third.startswith("word")
    assert NOTES_WIDTH - 5 < max(map(len, str(sheet).splitlines())) <= NOTES_WIDTH


def test_colour_changes_nothing_but_colour() -> None:
    coloured, plain = ("\n".join(printed(TABLE, 80, colour)) for colour in (True, False))
    assert "\x1b[32m12.3 ms\x1b[0m" in coloured and "\x1b[1mcase\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain


def test_a_sheet_is_as_standard_output_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert (Sheet(wide=PROSE).width, Sheet().colour) == (PROSE, False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "90")
    assert (Sheet(wide=PROSE).width, Sheet().colour) == (90, True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Sheet().colour
    assert Sheet(3).width > 3  # no terminal is that narrow, and no word would fit
