"""Real text that ships with Python, as bytes: nothing is downloaded.

    topics   the language reference's help texts, `pydoc_data.topics`: English prose with examples, about 450 KB
    library  sources of the standard library's packages: Python, several MB

Both depend on the version of Python; a result records `Text.version`, and results on other text are not compared.
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
HELD_OUT = 10  # one byte in so many, at the end


@dataclass(frozen=True)
class Text:
    """Bytes to train on and, apart from them, bytes to judge with: (bytes) each, int64."""

    name: str
    training: Tensor
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
        counts = torch.bincount(self.training, minlength=256).double() + 1
        return float(-(counts / counts.sum()).log()[self.held_out].mean())

    def batch(self, generator: torch.Generator, batch: int, length: int) -> Tensor:
        """(batch, length + 1): windows at random; one byte more than `length`, to predict the last from."""
        starts = torch.randint(len(self.training) - length, (batch, 1), generator=generator)
        return self.training[starts + torch.arange(length + 1)]

    def unseen(self, length: int, most: int) -> Tensor:
        """(windows, length + 1): up to `most` windows of the held-out bytes, spread over them, the same every time."""
        starts = torch.arange(0, len(self.held_out) - length, length)
        if len(starts) > most:
            starts = starts[torch.linspace(0, len(starts) - 1, most).long()]
        return self.held_out[starts[:, None] + torch.arange(length + 1)]


@cache
def text(name: str) -> Text:
    """The text called `name`. Raises ValueError."""
    if name not in READERS:
        raise ValueError(f"{name!r} is not a text; there is {' and '.join(READERS)}")
    read = READERS[name]()
    numbers = torch.frombuffer(bytearray(read), dtype=torch.uint8).long()
    training = len(numbers) - len(numbers) // HELD_OUT
    version = f"Python {platform.python_version()} {hashlib.sha256(read).hexdigest()[:16]}"
    return Text(name, numbers[:training], numbers[training:], version)


def topics() -> bytes:
    entries: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    return "\n".join(entries[name] for name in sorted(entries)).encode()


def library() -> bytes:
    root = Path(sysconfig.get_paths()["stdlib"])
    return b"\n".join(path.read_bytes() for package in PACKAGES for path in sorted((root / package).rglob("*.py")))


READERS = {"topics": topics, "library": library}
