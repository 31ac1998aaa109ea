"""YAML with a line for everything, and readers that refuse what they do not know."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tbench.errors import UsageError

C = TypeVar("C", bound=str)


@dataclass(frozen=True)
class Node:
    """A value and where it stands. Mappings hold nodes by key, sequences a list of nodes, scalars a plain value."""

    value: Any
    file: str
    line: int


class Mistake(UsageError):
    def __init__(self, node: Node, message: str) -> None:
        super().__init__(f"{node.file}:{node.line}: {message}")


def read_yaml(path: Path) -> Node:
    """The file as nodes. Raises UsageError: unreadable, not YAML, or a key that is there twice."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times as fast
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"{path}: cannot be read: {problem.strerror}") from problem
    try:
        parser = loader(text)
        try:
            root = parser.get_single_node()
            if root is None:
                raise UsageError(f"{path}: is empty")
            return _node(root, parser, str(path.name))
        finally:
            parser.dispose()
    except yaml.YAMLError as problem:
        raise UsageError(f"{path}: is not YAML: {problem}") from problem


def _node(found: yaml.Node, parser: Any, file: str) -> Node:
    line = found.start_mark.line + 1
    if isinstance(found, yaml.MappingNode):
        members: dict[str, Node] = {}
        for key, value in found.value:
            name = str(key.value)
            if name in members:
                raise Mistake(Node(None, file, key.start_mark.line + 1), f"{name} is there twice; keep one")
            members[name] = _node(value, parser, file)
        return Node(members, file, line)
    if isinstance(found, yaml.SequenceNode):
        return Node([_node(value, parser, file) for value in found.value], file, line)
    return Node(parser.construct_object(found), file, line)


class Reader:
    """A mapping whose keys are known. `about`: what it belongs to, for messages."""

    def __init__(self, node: Node, known: Sequence[str], optional: Sequence[str] = (), about: str = "") -> None:
        self.node, self.about = node, about
        if not isinstance(node.value, dict):
            raise Mistake(node, self._told(f"expected {', '.join(known)} with their values, not {node.value!r}"))
        for name, value in node.value.items():
            if name not in known:
                raise Mistake(value, self._told(f"unknown key {name!r}{did_you_mean(name, known)}"))
        for name in known:
            if name not in node.value and name not in optional:
                raise Mistake(node, self._told(f"{name} is missing"))

    def _told(self, message: str) -> str:
        return f"{self.about}: {message}" if self.about else message

    def fail(self, name: str, message: str) -> None:
        raise Mistake(self.node.value.get(name, self.node), self._told(message))

    def has(self, name: str) -> bool:
        return name in self.node.value

    def only(self) -> str:
        return str(next(iter(self.node.value)))

    def _typed(self, name: str, kind: type | tuple[type, ...], what: str) -> Any:
        node = self.node.value[name]
        if not isinstance(node.value, kind) or (isinstance(node.value, bool) and kind is not bool):
            raise Mistake(node, self._told(f"{name} is {_plain(node)!r}; write {what}"))
        return node.value

    def text(self, name: str) -> str:
        found = " ".join(str(self._typed(name, str, "a text")).split())
        if not found:
            self.fail(name, f"{name} is empty; write a text")
        return found

    def number(self, name: str) -> float:
        return _as_number(self.node.value[name], name, self)

    def numbers(self, name: str) -> list[float]:
        return [_as_number(node, name, self) for node in self.list(name)]

    def truth(self, name: str, default: bool) -> bool:
        return bool(self._typed(name, bool, "true or false")) if self.has(name) else default

    def list(self, name: str) -> list[Node]:
        return list(self._typed(name, list, "a list")) if self.has(name) else []

    def mapping(self, name: str) -> Node:
        self._typed(name, dict, "keys with their values")
        found: Node = self.node.value[name]
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        return self.words(name) if self.has(name) else ()

    def words(self, name: str) -> tuple[str, ...]:
        """One value or a list of them, as they stand in a case's identity."""
        node = self.node.value[name]
        several = node.value if isinstance(node.value, list) else [node]
        for one in several:
            if isinstance(one.value, (dict, list)) or one.value is None:
                raise Mistake(one, self._told(f"{name} is {_plain(one)!r}; write a value or a list of values"))
        return tuple(str(one.value).lower() if isinstance(one.value, bool) else str(one.value) for one in several)

    def choice(self, name: str, known: Iterable[C]) -> C:
        value, choices = self.text(name), list(known)
        for one in choices:
            if one == value:
                return one
        raise Mistake(self.node.value[name], self._told(f"{name} is {value!r}{did_you_mean(value, choices)}"))


def _as_number(node: Node, name: str, reader: Reader) -> float:
    try:
        if isinstance(node.value, (bool, dict, list)) or node.value is None:
            raise ValueError
        return float(node.value)  # YAML 1.1 takes 1e-5 for a text
    except ValueError:
        raise Mistake(node, f"{reader.about}: {name} is {_plain(node)!r}; write a number") from None


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {name: _plain(value) for name, value in node.value.items()}
    return [_plain(one) for one in node.value] if isinstance(node.value, list) else node.value


def did_you_mean(word: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; there is: {', '.join(names)}"
