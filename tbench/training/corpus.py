"""Real text that ships with Python, as bytes: nothing is downloaded.

    topics   the language reference's help texts, `pydoc_data.topics`: English prose with examples, about 450 KB
    library  sources of the standard library's packages: Python, several MB

No paragraph comes twice: the help repeats whole sections, and what was trained on must not be judged with. Both depend
on the version of Python; a result records `Text.version`, and results on other text are not compared.
"""

from __future__ import annotations

import hashlib
import importlib
import platform
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

PACKAGES = ("asyncio", "collections", "concurrent", "email", "http", "importlib", "json", "logging", "unittest", "xml")
APART = 10  # one byte in so many, at the end, to judge with; as many before them to choose rates with


@dataclass(frozen=True)
class Text:
    """Bytes to train on, others to choose learning rates with, and others again to judge with: (bytes) each, int64."""

    name: str
    training: Tensor
    tuning: Tensor
    held_out: Tensor
    version: str  # of Python, and a hash of every byte

    @property
    def scored(self) -> slice:
        return slice(None)

    @property
    def entropy(self) -> None:
        """Nobody knows that of English."""

    @property
    def unigram(self) -> float:
        """Held-out loss of knowing how often each byte occurs and nothing else, in nats per byte."""
        return self.unigram_of(self.held_out)

    def unigram_of(self, text: Tensor) -> float:
        """The same of any bytes."""
        counts = torch.bincount(self.training, minlength=256).double() + 1
        return float(-(counts / counts.sum()).log()[text].mean())

    def batch(self, generator: torch.Generator, batch: int, length: int) -> Tensor:
        """(batch, length + 1): windows at random; one byte more than `length`, to predict the last from."""
        starts = torch.randint(len(self.training) - length, (batch, 1), generator=generator)
        return self.training[starts + torch.arange(length + 1)]

    def unseen(self, length: int, most: int, *, tuning: bool = False, every: int = 0) -> Tensor:
        """(windows, length + 1): up to `most` windows of bytes never trained on, spread over them, the same every time.

        `tuning`: of those to choose with. A window begins `every` so many bytes (0: after the one before).
        """
        unseen = self.tuning if tuning else self.held_out
        starts = torch.arange(0, len(unseen) - length, every or length)
        if len(starts) > most:
            starts = starts[torch.linspace(0, len(starts) - 1, most).long()]
        return unseen[starts[:, None] + torch.arange(length + 1)]


@cache
def text(name: str) -> Text:
    """The text called `name`. Raises ValueError."""
    if name not in READERS:
        raise ValueError(f"{name!r} is not a text (choose from {', '.join(READERS)})")
    read = "\n\n".join(dict.fromkeys("\n\n".join(READERS[name]()).split("\n\n"))).encode()
    numbers = torch.frombuffer(bytearray(read), dtype=torch.uint8).long()
    apart = len(numbers) // APART
    version = f"Python {platform.python_version()} {hashlib.sha256(read).hexdigest()[:16]}"
    training, tuning, held_out = numbers[: -2 * apart], numbers[-2 * apart : -apart], numbers[-apart:]
    return Text(name, training, tuning, held_out, version)


def topics() -> list[str]:
    entries: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    return [entries[name] for name in sorted(entries)]


def library() -> list[str]:
    root = Path(sysconfig.get_paths()["stdlib"])
    files = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]
    return [path.read_text(encoding="utf-8") for path in files]


READERS = {"topics": topics, "library": library}
