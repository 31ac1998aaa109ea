"""A table and words around it as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from tbench.tables.table import Table


def pipe_table(model: Table) -> str:
    rows = [[cell.text for cell in line] for line in model.lines]
    lines = [
        [column.name for column in model.columns],
        ["---:" if column.right else "---" for column in model.columns],
        *([escaped(word) for word in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def escaped(words: str) -> str:
    """Text of any origin on one line that Markdown does not take for markup."""
    for mark in "\\`*_[]<>|":
        words = words.replace(mark, f"\\{mark}")
    return " ".join(words.split())
