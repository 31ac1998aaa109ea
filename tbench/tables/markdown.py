"""A table and the words around it as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tbench.tables.printable import printable
from tbench.tables.table import Table

CODE = re.compile(r"(`[^`]+`)")
# Outside of code, all that could be taken for markup. An underscore inside a word cannot, nor can brackets that nothing
# follows: `head_dim`, `6.9× [6.7, 7.1]`.
MARKUP = re.compile(r"[\\`*<>|]|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])")
BARE_PIPE = re.compile(r"(?<!\\)\|")


def blocks(table: Table) -> Iterator[str]:
    """The table, its remarks and its numbered notes, each a paragraph of its own."""
    if table.lines:
        yield pipe_table(table)
    yield from map(escaped, table.remarks)
    if table.notes:
        yield "\n".join(f"{number}. {escaped(note)}" for number, note in enumerate(table.notes, start=1))


def pipe_table(table: Table) -> str:
    lines = [
        [escaped(column.name) for column in table.columns],
        ["---:" if column.right else "---" for column in table.columns],
        *([BARE_PIPE.sub(r"\|", escaped(cell.text)) for cell in line] for line in table.lines),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def escaped(words: str) -> str:
    """Text of any origin on one line, in which Markdown sees no markup but `code`."""
    parts = CODE.split(printable(" ".join(words.split())))
    return "".join(part if odd % 2 else MARKUP.sub(r"\\\g<0>", part) for odd, part in enumerate(parts))
