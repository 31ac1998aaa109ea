"""Typed getters over a YAML file whose keys are known. Each raises UsageError, `file:line:column: about: …`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tbench.errors import UsageError
from tbench.yamlfile.mistakes import Loc, did_you_mean, shown
from tbench.yamlfile.reader import Document, read
from tbench.yamlfile.source import contents

C = TypeVar("C", bound=str)
ANY: tuple[str, ...] = ()  # keys that are not known beforehand


def opened(path: Path, known: Sequence[str]) -> Reader:
    """The top of a file. Raises UsageError for what is no YAML, and for all that would be misread."""
    document = read(contents(str(path)), str(path), first=f"{known[0]}:")
    document.mistakes.raise_if_any()
    return Reader(document, (), document.data, known)


class Reader:
    """One mapping of a file. `known`: its keys, or ANY. `about`: what it belongs to, for messages."""

    def __init__(
        self, file: Document, loc: Loc, data: Any, known: Sequence[str], optional: Sequence[str] = (), about: str = ""
    ) -> None:
        self.file, self.loc, self.about = file, loc, about
        if not isinstance(data, dict):
            raise self.mistake(f"expected {', '.join(known)} with their values, not {shown(data)}")
        self.data: dict[str, Any] = data
        for name in data if known else ():
            if name not in known:
                raise self.mistake(f"unknown key {name!r}{did_you_mean(name, known)}", name, at_key=True)
        for name in known:
            if name not in data and name not in optional:
                raise self.mistake(f"{name} is missing")

    def mistake(self, message: str, *inner: str | int, at_key: bool = False) -> UsageError:
        """What to raise about a value in here, or, where it is not there, about the whole."""
        line, column = self.file.mistakes.place((*self.loc, *inner), at_key=at_key)
        told = f"{self.about}: {message}" if self.about else message
        return UsageError(f"{self.file.mistakes.name}:{line}:{column}: {told}")

    def has(self, name: str) -> bool:
        return name in self.data

    def inside(
        self, name: str, known: Sequence[str] = ANY, optional: Sequence[str] = (), about: str | None = None
    ) -> Reader:
        """The mapping below a key."""
        inner = self._typed(name, dict, "keys with their values")
        return Reader(self.file, (*self.loc, name), inner, known, optional, self.about if about is None else about)

    def each(self, name: str, known: Sequence[str], optional: Sequence[str] = ()) -> list[Reader]:
        """The mappings of a list."""
        return [
            Reader(self.file, (*self.loc, name, index), inner, known, optional, self.about)
            for index, inner in enumerate(self.list(name))
        ]

    def text(self, name: str) -> str:
        found = " ".join(str(self._typed(name, str, "a text")).split())
        if not found:
            raise self.mistake(f"{name} is empty; write a text", name)
        return found

    def text_or_none(self, name: str) -> str | None:
        return self.text(name) if self.has(name) else None

    def number(self, name: str) -> float:
        return float(self._typed(name, (int, float), "a number"))

    def numbers(self, name: str) -> tuple[float, ...]:
        found = self.list(name)
        for index, one in enumerate(found):
            if isinstance(one, bool) or not isinstance(one, int | float):
                raise self.mistake(f"{name} is {shown(one)}; write a number", name, index)
        return tuple(map(float, found))

    def truth(self, name: str, default: bool) -> bool:
        return bool(self._typed(name, bool, "true or false")) if self.has(name) else default

    def list(self, name: str) -> list[Any]:
        return list(self._typed(name, list, "a list")) if self.has(name) else []

    def lists(self, name: str) -> tuple[tuple[str, ...], ...]:
        """A list of lists of texts."""
        found = self.list(name)
        for index, one in enumerate(found):
            if not isinstance(one, list) or not all(isinstance(each, str) for each in one):
                raise self.mistake(f"{name} is {shown(one)}; write a list of names, quoted", name, index)
        return tuple(map(tuple, found))

    def words(self, name: str) -> tuple[str, ...]:
        """One value or a list of them, as they stand in a case's identity; none where the key is not there."""
        found = self.data.get(name, [])
        several = found if isinstance(found, list) else [found]
        for one in several:
            if one is None or isinstance(one, dict | list):
                raise self.mistake(f"{name} is {shown(one)}; write a value or a list of values", name)
        return tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in several)

    def choice(self, name: str, known: Iterable[C]) -> C:
        value, choices = self.text(name), list(known)
        for one in choices:
            if one == value:
                return one
        raise self.mistake(f"{name} is {value!r}{did_you_mean(value, choices)}", name)

    def _typed(self, name: str, kind: type | tuple[type, ...], what: str) -> Any:
        value = self.data[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.mistake(f"{name} is {shown(value)}; write {what}", name)
        return value
