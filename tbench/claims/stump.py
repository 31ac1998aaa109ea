"""The shortest split that separates where something holds from where it does not. Pure.

A decision tree of depth two at most (Breiman et al. 1984, "Classification and Regression Trees"), found by trying them
all: the fewest splits that put 90% of the points right; among equals the one with the fewest mistakes, then the one
whose axes come first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeGuard

from tbench.records import Value

PURITY = 0.9
Point = Mapping[str, Value]


@dataclass(frozen=True)
class Condition:
    """`axis` is `value`; of numbers: is at least `value`, where `below` is the next smaller value that was seen."""

    axis: str
    value: Value
    below: float | None = None

    def met(self, point: Point) -> bool:
        """A point without the axis does not meet it."""
        seen = point.get(self.axis)
        if self.below is None:
            return seen is not None and type(seen) is type(self.value) and seen == self.value
        return number(seen) and number(self.value) and seen >= self.value


Way = tuple[tuple[Condition, bool], ...]  # conditions on the way to a leaf, and whether they are met there


@dataclass(frozen=True)
class Leaf:
    """Points at the end of one way. `holds`: what most of them say; `wrong`: how many say the opposite."""

    way: Way
    holds: bool
    points: int
    wrong: int


def shortest(points: Sequence[tuple[Point, bool]], axes: Sequence[str]) -> tuple[Leaf, ...]:
    """The leaves of the shortest tree over `axes`, which come in the order of preference.

    Where no tree of depth two puts 90% of the points right, the one with the fewest mistakes. Empty without points.
    """
    if not points:
        return ()
    grown = Tree(points, axes)
    found: list[tuple[tuple[float, ...], tuple[Leaf, ...]]] = []
    for splits, trees in enumerate((grown.none(), grown.one(), grown.two(), grown.three())):
        for order, leaves in enumerate(trees):
            wrong = sum(leaf.wrong for leaf in leaves)
            enough = wrong <= (1 - PURITY) * len(points)
            mixed = len({leaf.holds for leaf in leaves}) > 1
            if splits and not mixed:
                continue
            # A tree that is good enough comes before all that are not; of those the fewest mistakes count.
            found.append(((not enough, splits if enough else wrong, wrong if enough else splits, order), leaves))
    return min(found, key=lambda one: one[0])[1]


class Tree:
    """Grows trees of one to three splits over the same points. Sets of points are bits of an integer."""

    def __init__(self, points: Sequence[tuple[Point, bool]], axes: Sequence[str]) -> None:
        self.all = (1 << len(points)) - 1
        self.yes = sum(1 << i for i, (_, holds) in enumerate(points) if holds)
        self.masks = [  # no dictionary: true equals 1 there
            (one, sum(1 << i for i, (point, _) in enumerate(points) if one.met(point)))
            for one in conditions([point for point, _ in points], axes)
        ]

    def none(self) -> Iterator[tuple[Leaf, ...]]:
        yield (self.leaf(self.all, ()),)

    def one(self) -> Iterator[tuple[Leaf, ...]]:
        for condition, met, unmet in self.splits(self.all):
            yield self.leaf(met, ((condition, True),)), self.leaf(unmet, ((condition, False),))

    def two(self) -> Iterator[tuple[Leaf, ...]]:
        """One side is split again."""
        for condition, met, unmet in self.splits(self.all):
            on, off = ((condition, True),), ((condition, False),)
            yield from ((*self.best(met, on), self.leaf(unmet, off)), (self.leaf(met, on), *self.best(unmet, off)))

    def three(self) -> Iterator[tuple[Leaf, ...]]:
        for condition, met, unmet in self.splits(self.all):
            yield *self.best(met, ((condition, True),)), *self.best(unmet, ((condition, False),))

    def best(self, within: int, way: Way) -> tuple[Leaf, ...]:
        """The best split of some points; the points themselves where nothing splits them."""
        trees = [
            (self.leaf(met, (*way, (condition, True))), self.leaf(unmet, (*way, (condition, False))))
            for condition, met, unmet in self.splits(within)
        ]
        return min(trees, key=lambda leaves: sum(leaf.wrong for leaf in leaves), default=(self.leaf(within, way),))

    def splits(self, within: int) -> Iterator[tuple[Condition, int, int]]:
        for condition, mask in self.masks:
            if (met := mask & within) and (unmet := within & ~mask):
                yield condition, met, unmet

    def leaf(self, within: int, way: Way) -> Leaf:
        yes, points = (within & self.yes).bit_count(), within.bit_count()
        return Leaf(way, 2 * yes > points, points, min(yes, points - yes))


def conditions(points: Sequence[Point], axes: Sequence[str]) -> Iterator[Condition]:
    """Every way to split the points by one axis."""
    for axis in axes:
        seen = [point[axis] for point in points if axis in point]
        if seen and all(map(number, seen)):
            sizes = sorted({float(value) for value in seen})
            yield from (Condition(axis, size, below) for below, size in pairwise(sizes))
            if len(seen) == len(points):
                continue
            yield Condition(axis, sizes[0], -float("inf"))  # those that have the axis at all
        elif len(kinds := dict.fromkeys((type(value), value) for value in seen)) > 1 or len(seen) < len(points):
            yield from (Condition(axis, value) for _, value in kinds)


def number(value: Value | None) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
