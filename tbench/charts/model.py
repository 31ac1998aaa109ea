"""A chart as data: its figures by panel, and a description of how they are drawn, in Vega-Lite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tbench.claims.model import Language, Words

Record = Mapping[str, Any]  # field to a number, a text, a list of numbers, or None where there is no figure
Description = Mapping[str, Any]  # a Vega-Lite specification without its data


@dataclass(frozen=True)
class Panel:
    """One picture. `name`: the axes that tell it from the others of its chart; `summary`: what it shows, in a sentence.

    `records`: one per mark. Field names are fixed by the chart; what users have written stands in values only.
    """

    name: str
    records: tuple[Record, ...]
    summary: Words


@dataclass(frozen=True)
class Chart:
    """Pictures of one kind. `explained`: how to read one. `describe`: the description, with titles in a language.

    `fields`: the figures a reader may want as a table, with their headings.
    """

    name: str
    title: Words
    explained: Words
    panels: tuple[Panel, ...]
    fields: Mapping[str, Words]
    describe: Callable[[Language], Description]


def chart(
    name: str,
    title: Words,
    explained: Words,
    panels: Sequence[Panel],
    fields: Mapping[str, Words],
    describe: Callable[[Language], Description],
) -> list[Chart]:
    """The chart in a list, empty where no panel has anything to show."""
    shown = tuple(panel for panel in panels if panel.records)
    return [Chart(name, title, explained, shown, fields, describe)] if shown else []
