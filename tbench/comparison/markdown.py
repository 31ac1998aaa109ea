"""The comparison as Markdown, for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tbench.comparison import facts, table
from tbench.comparison.grid import Grid
from tbench.comparison.model import Comparison
from tbench.tables.markdown import blocks, bullets, escaped


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
        yield escaped(model.caption)
        yield from blocks(model)
    if explained := facts.open_cases(comparison):
        yield escaped(explained)


def _grids(comparison: Comparison, grids: Sequence[Grid]) -> Iterator[str]:
    if constants := table.constants(comparison):
        yield escaped(constants)
    for one in grids:
        model = table.grid(one)
        if model.caption:
            yield f"### {escaped(model.caption)}"
        yield from blocks(model)
    yield escaped(table.legend(grids))
