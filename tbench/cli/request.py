"""The options of `tbench run`, as its parts pass them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tbench.api import Where


@dataclass(frozen=True)
class Request:
    """The options of `tbench run`."""

    output: str | None
    device: str
    overrides: Sequence[str]
    select: Sequence[str]
    quick: bool
    rigorous: bool
    max_time: float | None
    seed: int
    resume: bool
    dry_run: bool
    where: Where
    user_code: bool = True
    cases: bool = False
    command: Sequence[str] = ()  # as it was typed, for the record
