"""Tables and notes as text, as wide as the terminal and in its colours.

Of rich only the widths of characters are used: its own tables would take a quarter of the time of `tbench list`.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from rich.cells import cell_len, chop_cells

from tbench.tables.printable import printable
from tbench.tables.table import Cell, Column, Table, Tone

UNLIMITED = 400  # for a file or a pipe: no line is folded but the notes
PROSE = 160  # the same where cells are sentences
NOTES_WIDTH = 100
LEAST = 8  # characters a column keeps, however narrow the terminal
GAP = "  "
STYLES: dict[Tone, str] = {"good": "32", "bad": "31", "quiet": "2", "loud": "1", "alarm": "1;31"}  # ANSI


class Sheet:
    """What is to be printed, line by line; `str` of it is the whole.

    Without `width` and `colour` as standard output takes it: those of the terminal, or `wide` columns and no colour
    where it is a file or a pipe. `NO_COLOR` and `COLUMNS` are honoured.
    """

    def __init__(self, width: int | None = None, colour: bool | None = None, wide: int = UNLIMITED) -> None:
        terminal = sys.stdout.isatty()
        if width is None:
            width = shutil.get_terminal_size().columns if terminal or "COLUMNS" in os.environ else wide
        self.width = max(width, 2 * LEAST)
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self.colour = terminal and not plain if colour is None else colour
        self.lines: list[str] = []

    def __str__(self) -> str:
        return "".join(f"{line.rstrip()}\n" for line in self.lines)

    def say(self, words: str = "", tone: Tone = "") -> None:
        """A line, folded where there is no room for it; an empty one without words."""
        self.lines += [self._styled(line, tone) for line in wrapped(printable(words), self.width)]

    def note(self, words: str, tone: Tone = "") -> None:
        """A sentence no wider than can be read. Lines after the first stand behind its number, if it has one."""
        words = printable(words)
        number, _, rest = words.partition(" ") if words.startswith("[") else ("", "", words)
        indent = cell_len(number) + 1 if number else 0
        for line in wrapped(rest, min(self.width, NOTES_WIDTH) - indent):
            self.lines.append(self._styled(number.ljust(indent) + line, tone))
            number = ""

    def table(self, table: Table, caption: Tone = "quiet", elsewhere: str = "") -> None:
        """The caption, as many columns as there is room for, the notes, and which columns were left out.

        `elsewhere`: where those stand, as `, and so does results.csv`.
        """
        table = cleaned(table)
        if table.caption:
            self.say(table.caption, caption)
        shown, left_out = fitted(table, self.width)
        self.lines += self._laid_out(shown)
        for number, note in enumerate(table.notes, start=1):
            self.note(f"[{number}] {note}")
        for remark in table.remarks:
            self.note(remark)
        if left_out:
            self.note(f"No room for: {', '.join(left_out)}. A wider terminal shows them{elsewhere}.")

    def _laid_out(self, table: Table) -> Iterator[str]:
        if not table.lines:
            return
        sizes = shrunk(natural(table), self.width)
        if any(column.name for column in table.columns):
            yield from self._row(
                table.columns, [Cell(column.name, "loud") for column in table.columns], sizes, low=True
            )
            yield "─" * taken(sizes)
        for number, line in enumerate(table.lines):
            if number in table.breaks:
                yield ""
            yield from self._row(table.columns, line, sizes)

    def _row(
        self, columns: Sequence[Column], cells: Sequence[Cell], sizes: Sequence[int], low: bool = False
    ) -> Iterator[str]:
        """One row, on as many lines as its longest cell takes; `low`: the others end where that one ends."""
        parts = [wrapped(cell.text, size) for cell, size in zip(cells, sizes, strict=True)]
        if low:
            height = max(map(len, parts))
            parts = [[""] * (height - len(part)) + part for part in parts]
        for words in zip_longest(*parts, fillvalue=""):
            yield GAP.join(
                self._placed(word, cell.tone, column.right, size)
                for word, cell, column, size in zip(words, cells, columns, sizes, strict=True)
            )

    def _placed(self, words: str, tone: Tone, right: bool, size: int) -> str:
        room = " " * (size - cell_len(words))
        return room + self._styled(words, tone) if right else self._styled(words, tone) + room

    def _styled(self, words: str, tone: Tone) -> str:
        return f"\x1b[{STYLES[tone]}m{words}\x1b[0m" if self.colour and tone and words else words


def cleaned(table: Table) -> Table:
    """The table without characters that steer a terminal, so that widths are those of what is printed."""
    lines = tuple(tuple(Cell(printable(cell.text), cell.tone) for cell in line) for line in table.lines)
    return replace(table, lines=lines)


def fitted(table: Table, width: int) -> tuple[Table, list[str]]:
    """The table without columns of the highest ranks until the rest needs no fold, and the names of those left out."""
    left_out: list[str] = []
    while taken(natural(table)) > width and (rank := max(column.rank for column in table.columns)) > 0:
        last = max(number for number, column in enumerate(table.columns) if column.rank == rank)
        left_out.insert(0, table.columns[last].name)
        table = table.without(last)
    return table, left_out


def natural(table: Table) -> list[int]:
    """The width of each column in which no cell is folded. Headings are, between their words."""
    texts = [[*column.name.split(), *(line[i].text for line in table.lines)] for i, column in enumerate(table.columns)]
    return [max(map(cell_len, column), default=0) for column in texts]


def shrunk(sizes: Sequence[int], width: int) -> list[int]:
    """The same for columns that together are too wide: the widest give way first."""
    narrow = list(sizes)
    while taken(narrow) > width and max(narrow) > LEAST:
        narrow[narrow.index(max(narrow))] -= 1
    return narrow


def taken(sizes: Sequence[int]) -> int:
    """Characters that columns take together, gaps included."""
    return sum(sizes) + len(GAP) * max(len(sizes) - 1, 0)


def wrapped(words: str, width: int) -> list[str]:
    """Lines of at most `width`, broken between words, or inside of one that is longer."""
    if cell_len(words) <= width and "\n" not in words:
        return [words]
    lines = [""]
    for word in re.findall(r"\s*\S+", " ".join(words.splitlines())):
        longer = lines[-1] + word if lines[-1] else word.lstrip()
        if cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines += chop_cells(word.lstrip(), width)
    return [line for line in lines if line] or [""]
