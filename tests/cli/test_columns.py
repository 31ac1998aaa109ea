"""Aligned columns: nothing is lost, nothing is wider than asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tbench.cli.columns import LEAST, columns

words = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.tuples(
            st.lists(words, min_size=n, max_size=n), st.lists(st.lists(words, min_size=n, max_size=n), max_size=5)
        )
    ),
    st.integers(10, 80),
)
def test_every_character_is_there_and_lines_fit(table: tuple[list[str], list[list[str]]], width: int) -> None:
    header, rows = table
    lines = list(columns(header, rows, width))
    narrowest = len(header) * LEAST + 2 * (len(header) - 1)
    assert all(len(line) <= max(width, narrowest) for line in lines)
    shown = sorted("".join(lines).replace(" ", "").replace("─", ""))
    assert shown == sorted("".join(header) + "".join("".join(row) for row in rows))


def test_a_long_cell_goes_on_in_its_own_column() -> None:
    assert list(columns(("a", "what"), [("x", "one two three four")], 14)) == [
        "a  what",
        "─  ───────────",
        "x  one two",
        "   three four",
    ]
