"""All mistakes of a file, collected and told at once, each with its place and its remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tbench.errors import ScenarioError

Loc = tuple[str | int, ...]
Place = tuple[int, int]  # line and column, both from 1

SHOWN = 50
LONGEST = 60
LONGEST_MESSAGE = 400


@dataclass
class Mistakes:
    """Collects `(place, message)` for one file. `values` and `keys` map a path of keys and indices to its place."""

    name: str
    values: Mapping[Loc, Place] = field(default_factory=dict)
    keys: Mapping[Loc, Place] = field(default_factory=dict)
    found: dict[tuple[Place, str], None] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)  # of the command line, and of a suite's parts

    def add(self, loc: Loc, message: str, *, at_key: bool = False) -> None:
        self.at(self.place(loc, at_key=at_key), message)

    def at(self, place: Place, message: str) -> None:
        cut = message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}…"
        self.found.setdefault((place, cut))

    def place(self, loc: Loc, *, at_key: bool = False) -> Place:
        """Where `loc` stands; if it is not there, the nearest thing around it."""
        if at_key and loc in self.keys:
            return self.keys[loc]
        while loc and loc not in self.values:
            loc = loc[:-1]
        return self.values.get(loc, (1, 1))

    def any(self) -> bool:
        return bool(self.found or self.elsewhere)

    def lines(self) -> list[str]:
        own = [f"{self.name}:{line}:{column}: {message}" for (line, column), message in sorted(self.found)]
        return own + list(dict.fromkeys(self.elsewhere))

    def raise_if_any(self) -> None:
        lines = self.lines()
        if lines:
            more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
            raise ScenarioError("\n".join(lines[:SHOWN] + more))


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` with the nearest known word or, if none is near, `; choose from a, b, c`."""
    names = list(known)
    lower = {name.lower(): name for name in reversed(names)}
    near = difflib.get_close_matches(str(word).lower()[:LONGEST], lower, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {lower[near[0]]!r}?"
    return f"; choose from {', '.join(names)}" if names else ""


def shown(value: object) -> str:
    """The offending value as it stands in a message, cut where it is long."""
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
