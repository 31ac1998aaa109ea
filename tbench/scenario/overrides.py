"""`--set axis=a,b`: an axis replaced from the command line, in the same words as in the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tbench.errors import ScenarioError, UsageError
from tbench.records import Value
from tbench.scenario.axes import Word
from tbench.yamlfile.mistakes import did_you_mean, shown
from tbench.yamlfile.reader import REFUSED, read


@dataclass(frozen=True)
class Override:
    """One `--set`: `values` as they were read, not yet checked against an axis."""

    axis: str
    values: tuple[Any, ...]
    label: str  # stands before its mistakes, in place of file:line:column

    def parsed(self, words: dict[str, Word]) -> tuple[Value, ...]:
        """The canonical values. Raises ValueError with the axis named."""
        if self.axis not in words:
            raise ValueError(f"unknown axis {shown(self.axis)}{did_you_mean(self.axis, words)}")
        made: list[Value] = []
        for value in self.values:
            try:
                canonical = words[self.axis].parse(value)
            except ValueError as error:
                raise ValueError(f"{self.axis}: {error}") from None
            if canonical in made:
                raise ValueError(f"{self.axis}: {shown(canonical)} is given twice")
            made.append(canonical)
        return tuple(made)


def parse(text: str) -> Override:
    """Read `seq_len=512,1024`, `pattern=[full, {window: 256}]`, `pattern=full,window:256`. Raises UsageError."""
    axis, equals, values = text.partition("=")
    axis, values = axis.strip(), values.strip()
    label = f"--set {text}"
    if not equals or not axis or not values:
        raise UsageError(f"{label}: write axis=value or axis=a,b")
    as_list = values if values.startswith("[") else f"[{values}]"
    try:
        document = read(f"values: {as_list}".encode("utf-8", "replace"), "")
    except ScenarioError as error:
        raise UsageError(f"{label}: {said(error)}") from None
    found = document.data.get("values")
    if document.mistakes.found:
        raise UsageError(f"{label}: {'; '.join(message for _, message in document.mistakes.found)}")
    if set(document.data) != {"values"} or not isinstance(found, list) or not found or REFUSED in found:
        raise UsageError(f"{label}: write axis=value or axis=a,b")
    return Override(axis, tuple(found), label)


def said(error: ScenarioError) -> str:
    """An error of the reader without its place, which is one in a text the user has not written."""
    return re.sub(r"^:\d+:\d+: ", "", str(error).splitlines()[0])
