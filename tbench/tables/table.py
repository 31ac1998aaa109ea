"""A table in the shape that every format lays out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["", "good", "bad", "quiet"]


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
    """`lines[i][j]` is the cell of row i in column j; `breaks` are rows that begin a new group of compared cases.

    `constants` is what all rows share, `remarks` concern every row, `notes[k]` is the note with number k + 1.
    """

    constants: str
    columns: tuple[Column, ...]
    lines: tuple[tuple[Cell, ...], ...]
    breaks: frozenset[int] = frozenset()
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
