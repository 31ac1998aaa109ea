"""The comparison as Markdown, for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tbench.comparison import facts, table
from tbench.comparison.grid import Grid
from tbench.comparison.model import Comparison
from tbench.report.markdown import _bullets, _escaped, _table


def render(comparison: Comparison, grids: Sequence[Grid] = ()) -> str:
    """Title, runs, what differs, the cases or the grids, notes, warnings."""
    parts = [f"# {_escaped(facts.title(comparison))}"]
    parts.append(_bullets(f"**{side}**: {_escaped(words)}" for side, words in facts.sides(comparison)))
    weighty, *others = map(_escaped, facts.conditions(comparison))
    parts += [weighty if comparison.like_with_like else f"**{weighty}**", *others]
    parts.append(f"**{_escaped(facts.summary(comparison))}**")
    if constants := table.constants(comparison):
        parts.append(f"All cases: {_escaped(constants)}")
    parts += _grids(grids) if grids else _cases(comparison)
    parts.append(_escaped(facts.rule(comparison)))
    if comparison.warnings:
        parts += ["## Warnings", _bullets(map(_escaped, comparison.warnings))]
    return "\n\n".join(parts) + "\n"


def _cases(comparison: Comparison) -> Iterator[str]:
    model = table.cases(comparison)
    yield _table(model)
    yield from map(_escaped, model.remarks)
    if model.notes:
        yield "\n".join(f"{number}. {_escaped(note)}" for number, note in enumerate(model.notes, start=1))
    explained = facts.open_cases(comparison)
    if explained:
        yield _escaped(explained.replace("`", ""))


def _grids(grids: Sequence[Grid]) -> Iterator[str]:
    for one in grids:
        model = table.grid(one)
        if model.constants:
            yield f"### {_escaped(model.constants)}"
        yield _table(model)
    yield _escaped(table.legend(grids))
