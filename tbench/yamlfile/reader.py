"""YAML text to plain data and the place of everything in it. Runs nothing, expands nothing without a limit.

Built from the parser's events, so that depth and size are checked before anything is built: PyYAML's own composer
recurses in C and can be crashed by nesting alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from tbench.errors import ScenarioError
from tbench.yamlfile.mistakes import Loc, Mistakes, Place, shown
from tbench.yamlfile.scalars import AmbiguousScalar, Scalar, read_plain
from tbench.yamlfile.source import decoded

MAX_DEPTH = 12
MAX_NODES = 20_000  # after aliases are expanded

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Refused:
    """Stands for a scalar that was refused: its mistake is told already, so that later checks pass over it."""

    def __repr__(self) -> str:
        return "refused"


REFUSED: Final = Refused()


@dataclass(frozen=True)
class Document:
    """`data`: dict, list and scalars. `mistakes` knows the places, and what has been refused so far."""

    data: dict[str, Any]
    mistakes: Mistakes


@dataclass
class Node:
    """A value of the tree before aliases are expanded; `size` and `depth` count them as if they were."""

    place: Place
    value: Scalar | Refused | list[Node] | dict[str, tuple[Place, Node]]
    size: int = 1
    depth: int = 0


def read(source: bytes, name: str, first: str = "version: 1") -> Document:
    """Read one YAML document with a mapping at the top. `first`: what to start with, where there is none.

    Raises ScenarioError for what cannot be read at all (syntax, encoding, size, nesting, several documents);
    scalars that would be misread and duplicate keys are collected in `mistakes`.
    """
    mistakes = Mistakes(name)
    root = Builder(mistakes).build(decoded(source, name))
    if not isinstance(root.value, dict):
        what = "the file is empty" if root.value is None else f"a mapping is needed, not {kind(root.value)}"
        raise ScenarioError(f"{name}:{root.place[0]}:{root.place[1]}: {what}; start with `{first}`")
    values: dict[Loc, Place] = {}
    keys: dict[Loc, Place] = {}
    data = plain(root, (), values, keys)
    mistakes.values, mistakes.keys = values, keys
    assert isinstance(data, dict)
    return Document(data, mistakes)


def kind(value: object) -> str:
    kinds: dict[type, str] = {list: "a list", dict: "a mapping", str: "text"}
    return kinds.get(type(value), "a single value")


@dataclass
class Builder:
    """Makes a tree of nodes out of the parser's events."""

    mistakes: Mistakes
    anchors: dict[str, Node] = field(default_factory=dict)
    events: Iterator[Any] = field(init=False)

    def build(self, text: str) -> Node:
        self.events = yaml.parse(text, Loader=LOADER)
        root: Node | None = None
        try:
            for event in self.events:
                if isinstance(event, yaml.DocumentStartEvent):
                    if root is not None:
                        raise self.stop(event, "a second document; write one, remove the `---`")
                    root = self.node(next(self.events), 0)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            said = ", ".join(part for part in (error.context, error.problem) if part)
            raise self.refuse(place, f"this is not YAML: {said}") from None
        except yaml.YAMLError as error:
            raise self.refuse((1, 1), f"this is not YAML: {str(error).splitlines()[0]}") from None
        return root or Node((1, 1), None)

    def node(self, event: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.stop(event, f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            found = self.anchors.get(str(event.anchor))
            if found is None:
                raise self.stop(
                    event, f"*{event.anchor} refers to nothing above it; define it first with &{event.anchor}"
                )
            if depth + found.depth > MAX_DEPTH:
                raise self.stop(event, f"nested more than {MAX_DEPTH} deep")
            return found
        if event.tag is not None:
            raise self.stop(event, f"tags are not read; remove {shown(event.tag)}")
        if isinstance(event, yaml.ScalarEvent):
            made = Node(place(event), self.scalar(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            made = self.sequence(event, depth)
        else:
            made = self.mapping(event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = made
        return made

    def scalar(self, event: Any) -> Scalar | Refused:
        if event.style:  # quoted, or a block of text
            return str(event.value)
        try:
            return read_plain(event.value)
        except AmbiguousScalar as problem:
            self.mistakes.at(place(event), str(problem))
            return REFUSED

    def sequence(self, event: Any, depth: int) -> Node:
        made = Node(place(event), [])
        items: list[Node] = []
        for inner in self.events:
            if isinstance(inner, yaml.SequenceEndEvent):
                break
            items.append(self.grow(made, self.node(inner, depth + 1), inner))
        made.value = items
        return made

    def mapping(self, event: Any, depth: int) -> Node:
        made = Node(place(event), {})
        items: dict[str, tuple[Place, Node]] = {}
        for inner in self.events:
            if isinstance(inner, yaml.MappingEndEvent):
                break
            key = self.node(inner, depth + 1)
            value = self.grow(made, self.node(next(self.events), depth + 1), inner)
            at = place(inner)
            if isinstance(key.value, Refused):
                continue
            if not isinstance(key.value, str):
                self.mistakes.at(
                    at, f"a key must be text, not {shown(key.value) if not key.depth else kind(key.value)}"
                )
            elif key.value == "<<":
                self.mistakes.at(at, "merge keys (<<) are not read; write the values out")
            elif key.value in items:
                line, column = items[key.value][0]
                self.mistakes.at(at, f"{shown(key.value)} is given twice, first at {line}:{column}; remove one")
            else:
                items[key.value] = (at, value)
        made.value = items
        return made

    def grow(self, around: Node, inner: Node, event: Any) -> Node:
        around.size += inner.size
        around.depth = max(around.depth, inner.depth + 1)
        if around.size > MAX_NODES:
            raise self.stop(event, f"more than {MAX_NODES} values; is this the right file?")
        return inner

    def stop(self, event: Any, message: str) -> ScenarioError:
        return self.refuse(place(event), message)

    def refuse(self, where: Place, message: str) -> ScenarioError:
        """An end to the reading, told together with what was found on the way."""
        self.mistakes.at(where, message)
        return ScenarioError("\n".join(self.mistakes.lines()))


def place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


def plain(node: Node, loc: Loc, values: dict[Loc, Place], keys: dict[Loc, Place]) -> Any:
    """The node's data; notes on the way where everything stands."""
    values[loc] = node.place
    if isinstance(node.value, list):
        return [plain(item, (*loc, index), values, keys) for index, item in enumerate(node.value)]
    if isinstance(node.value, dict):
        made = {}
        for key, (at, item) in node.value.items():
            keys[(*loc, key)] = at
            made[key] = plain(item, (*loc, key), values, keys)
        return made
    return node.value
