"""Which keys a query may look at, each pattern written once.

`keeps(q, k)` is the meaning of a pattern: it takes positions as integers or as tensors, and the dense mask, the
block mask and the oracle are all made from it. Causality is an axis of its own and comes on top. `seen` counts the
kept keys of one query in closed form; a test holds it against `keeps`.

    full           every key
    window:W       the W nearest positions up to the query (on both sides without causality)
    strided:W:S    the W nearest, and every S-th before them   (Child et al. 2019, §4.3, strided)
    fixed:B:G      the query's own block of B positions, and the last G positions of every block   (ibid., fixed)
    alternating:W:E   a stack of layers: windows of W, full attention in every E-th layer   (Brown et al. 2020, §2.1)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

LARGEST = 10**9
KEYS: dict[str, tuple[str, ...]] = {
    "window": ("window",),
    "strided": ("window", "stride"),
    "fixed": ("block", "globals"),
    "alternating": ("window", "full_every"),
}


@dataclass(frozen=True)
class Pattern:
    """`layers`: the patterns of one period of a stack of layers; a plain pattern is its own only layer."""

    name: ClassVar[str]

    @property
    def text(self) -> str:
        """Canonical text, as in a case's identity: `window:256`."""
        return ":".join([self.name, *(str(getattr(self, field.name)) for field in fields(self))])

    @property
    def layers(self) -> tuple[Pattern, ...]:
        return (self,)

    def keeps(self, q: Any, k: Any) -> Any:
        """Whether the query at position `q` sees the key at `k` (integers, or tensors that broadcast)."""
        raise TypeError(f"{self.name} is a stack of layers; ask each of its layers")

    def seen(self, q: int, keys: int, causal: bool) -> int:
        """How many of `keys` keys the query at position `q` sees."""
        raise TypeError(f"{self.name} is a stack of layers; ask each of its layers")

    def pairs(self, length: int, causal: bool) -> int:
        """How many (query, key) pairs are kept among `length` of both: the sum of `seen`, in closed form."""
        raise TypeError(f"{self.name} is a stack of layers; ask each of its layers")

    @property
    def reach(self) -> int | None:
        """Distance from which on nothing is kept; None if there is no such distance."""
        return None


def both_sides(near: Callable[[int], int], q: int, keys: int, causal: bool) -> int:
    """Kept keys of a pattern that only knows distances: itself, those before it, those after it."""
    return 1 + near(q) + (0 if causal else near(keys - 1 - q))


def capped(length: int, most: int) -> int:
    """0 + 1 + 2 + … over `length` terms, none above `most`."""
    rising = min(length, most + 1)
    return rising * (rising - 1) // 2 + (length - rising) * most


@dataclass(frozen=True)
class Full(Pattern):
    name = "full"

    def keeps(self, q: Any, k: Any) -> Any:
        return (q >= 0) & (k >= 0)

    def seen(self, q: int, keys: int, causal: bool) -> int:
        return both_sides(lambda there: there, q, keys, causal)

    def pairs(self, length: int, causal: bool) -> int:
        return length * (length + 1) // 2 if causal else length**2


@dataclass(frozen=True)
class Window(Pattern):
    name = "window"
    window: int

    def keeps(self, q: Any, k: Any) -> Any:
        return abs(q - k) < self.window

    def seen(self, q: int, keys: int, causal: bool) -> int:
        return both_sides(lambda there: min(there, self.window - 1), q, keys, causal)

    def pairs(self, length: int, causal: bool) -> int:
        return length + (1 if causal else 2) * capped(length, self.window - 1)

    @property
    def reach(self) -> int | None:
        return self.window


@dataclass(frozen=True)
class Strided(Pattern):
    name = "strided"
    window: int
    stride: int

    def keeps(self, q: Any, k: Any) -> Any:
        return (abs(q - k) < self.window) | (abs(q - k) % self.stride == 0)

    def seen(self, q: int, keys: int, causal: bool) -> int:
        def near(there: int) -> int:
            beyond = there // self.stride - (self.window - 1) // self.stride
            return min(there, self.window - 1) + max(0, beyond)

        return both_sides(near, q, keys, causal)

    def pairs(self, length: int, causal: bool) -> int:
        rows, rest = divmod(length, self.stride)
        skipped = (self.window - 1) // self.stride  # multiples that the window holds already
        far = max(0, rows - skipped)
        beyond = self.stride * far * max(0, far - 1) // 2 + rest * far
        return length + (1 if causal else 2) * (capped(length, self.window - 1) + beyond)


@dataclass(frozen=True)
class Fixed(Pattern):
    name = "fixed"
    block: int
    globals: int

    def keeps(self, q: Any, k: Any) -> Any:
        return (q // self.block == k // self.block) | (k % self.block >= self.block - self.globals)

    def seen(self, q: int, keys: int, causal: bool) -> int:
        first = q // self.block * self.block  # of the query's own block
        own = (q + 1 if causal else min(first + self.block, keys)) - first
        before = first // self.block * self.globals
        return own + before + (0 if causal else self.globals_after(first + self.block, keys))

    def pairs(self, length: int, causal: bool) -> int:
        blocks, rest = divmod(length, self.block)
        if causal:  # in each block its own triangle, and the globals of all blocks before it
            earlier = self.globals * (self.block * blocks * (blocks - 1) // 2 + rest * blocks)
            return blocks * self.block * (self.block + 1) // 2 + rest * (rest + 1) // 2 + earlier
        everywhere = self.globals_after(0, length)
        own_globals = max(0, rest - (self.block - self.globals))
        return blocks * self.block * (self.block + everywhere - self.globals) + rest * (rest + everywhere - own_globals)

    def globals_after(self, start: int, keys: int) -> int:
        """Global positions from `start` (a block's first position) on."""
        blocks, rest = divmod(max(0, keys - start), self.block)
        return blocks * self.globals + max(0, rest - (self.block - self.globals))


@dataclass(frozen=True)
class Alternating(Pattern):
    name = "alternating"
    window: int
    full_every: int

    @property
    def layers(self) -> tuple[Pattern, ...]:
        return (*[Window(self.window)] * (self.full_every - 1), Full())


KINDS: dict[str, Callable[..., Pattern]] = {kind.name: kind for kind in (Full, Window, Strided, Fixed, Alternating)}


def pattern(text: str) -> Pattern:
    """The pattern of a canonical text. Raises ValueError with a sentence."""
    name, *numbers = text.split(":")
    keys = KEYS.get(name, ())
    if name not in KINDS:
        raise ValueError(f"{text!r} is not a pattern (choose from full, {', '.join(KEYS)})")
    if len(numbers) != len(keys) or not all(number.isascii() and number.isdigit() for number in numbers):
        raise ValueError(f"{text!r}: write {':'.join([name, *(f'<{key}>' for key in keys)])}")
    return checked(name, dict(zip(keys, map(int, numbers), strict=True)))


def parse(value: Any) -> str:
    """What a scenario says (`full`, `window:256`, `{window: 256}`, `{strided: {window: 128, stride: 128}}`) to
    canonical text. Raises ValueError with a sentence."""
    if isinstance(value, str):
        return pattern(value).text
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError(
            f"{value!r} is not a pattern; write full, {{window: 256}} or {{strided: {{window: 128, stride: 128}}}}"
        )
    ((name, sizes),) = value.items()
    if name not in KEYS:
        known = "write it without braces" if name in KINDS else f"choose from full, {', '.join(KEYS)}"
        raise ValueError(f"{name!r} is not a pattern with sizes; {known}")
    keys = KEYS[name]
    if len(keys) == 1 and not isinstance(sizes, Mapping):
        sizes = {keys[0]: sizes}
    if not isinstance(sizes, Mapping) or set(sizes) != set(keys):
        raise ValueError(
            f"{name} needs {' and '.join(keys)}: write {{{name}: {{{', '.join(f'{key}: …' for key in keys)}}}}}"
        )
    return checked(name, {key: sizes[key] for key in keys}).text


def checked(name: str, sizes: Mapping[str, Any]) -> Pattern:
    """The pattern, if its sizes make sense."""
    for key, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= LARGEST:
            raise ValueError(f"{name}: {key} is {size!r}; a whole number from 1 to {LARGEST} is needed")
    if name == "fixed" and sizes["globals"] > sizes["block"]:
        raise ValueError(f"fixed: {sizes['globals']} global positions do not fit into a block of {sizes['block']}")
    if name == "alternating" and sizes["full_every"] < 2:
        raise ValueError("alternating: full_every is 1, which is full in every layer; write full, or 2 or more")
    return KINDS[name](**sizes)


SCHEMA: dict[str, Any] = {
    "description": "which keys a query may look at",
    "oneOf": [
        {"type": "string", "pattern": r"^(full|window:\d+|strided:\d+:\d+|fixed:\d+:\d+|alternating:\d+:\d+)$"},
        *(
            {
                "type": "object",
                "properties": {
                    name: {
                        "oneOf": [
                            *([{"type": "integer", "minimum": 1}] if len(keys) == 1 else []),
                            {
                                "type": "object",
                                "properties": {key: {"type": "integer", "minimum": 1} for key in keys},
                                "required": list(keys),
                                "additionalProperties": False,
                            },
                        ]
                    }
                },
                "required": [name],
                "additionalProperties": False,
            }
            for name, keys in KEYS.items()
        ),
    ],
}
