"""A table in the shape that every layout takes: text and Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Tone = Literal["", "good", "bad", "quiet", "loud", "alarm"]


@dataclass(frozen=True)
class Cell:
    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Column:
    """`rank`: columns with a high rank are left out first where there is little room; 0 is never left out."""

    name: str
    right: bool = True
    rank: int = 0


@dataclass(frozen=True)
class Table:
    """`lines[i][j]` is the cell of row i in column j; `breaks` are rows that begin a new group.

    `caption` is what all rows share, or a title; `remarks` concern every row, `notes[k]` is the note with number k + 1.
    """

    columns: tuple[Column, ...]
    lines: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    breaks: frozenset[int] = frozenset()
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @staticmethod
    def of_words(names: Sequence[str], lines: Iterable[Sequence[str]], caption: str = "") -> Table:
        """A table whose cells are words, all of them to the left."""
        return Table(
            tuple(Column(name, right=False) for name in names),
            tuple(tuple(map(Cell, line)) for line in lines),
            caption,
        )

    def without(self, column: int) -> Table:
        """The table without one of its columns."""
        return replace(
            self,
            columns=self.columns[:column] + self.columns[column + 1 :],
            lines=tuple(line[:column] + line[column + 1 :] for line in self.lines),
        )
