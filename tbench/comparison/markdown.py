"""The comparison as Markdown, for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tbench.comparison import facts, table
from tbench.comparison.grid import Grid
from tbench.comparison.model import Comparison
from tbench.tables.markdown import bullets, escaped, pipe_table


def render(comparison: Comparison, grids: Sequence[Grid] = ()) -> str:
    """Title, runs, what differs, the cases or the grids, notes, warnings."""
    parts = [f"# {escaped(facts.title(comparison))}"]
    parts.append(bullets(f"**{side}**: {escaped(words)}" for side, words in facts.sides(comparison)))
    weighty, *others = map(escaped, facts.conditions(comparison))
    parts += [weighty if comparison.like_with_like else f"**{weighty}**", *others]
    parts.append(f"**{escaped(facts.summary(comparison))}**")
    parts += _grids(comparison, grids) if grids else _cases(comparison)
    parts.append(escaped(facts.rule(comparison)))
    if comparison.warnings:
        parts += ["## Warnings", bullets(map(escaped, comparison.warnings))]
    return "\n\n".join(parts) + "\n"


def _cases(comparison: Comparison) -> Iterator[str]:
    for model in table.sections(comparison):
        yield escaped(model.constants)
        if model.lines:
            yield pipe_table(model)
        yield from map(escaped, model.remarks)
        if model.notes:
            yield "\n".join(f"{number}. {escaped(note)}" for number, note in enumerate(model.notes, start=1))
    explained = facts.open_cases(comparison)
    if explained:
        yield escaped(explained.replace("`", ""))


def _grids(comparison: Comparison, grids: Sequence[Grid]) -> Iterator[str]:
    if constants := table.constants(comparison):
        yield escaped(constants)
    for one in grids:
        model = table.grid(one)
        if model.constants:
            yield f"### {escaped(model.constants)}"
        yield pipe_table(model)
    yield escaped(table.legend(grids))
