"""A run as it is read back: the header, the environment and everything measured."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tbench.analysis.derive import Row, derive
from tbench.analysis.frame import to_frame
from tbench.errors import StoreError
from tbench.records import Environment, Measurement
from tbench.store import HEADER, RunFolder

if TYPE_CHECKING:
    import pandas as pd

# Options of `tbench run`, `gate` and `baseline save` that belong to one run; a test holds them to the command line.
FOLDER = ("-o", "--output", "--name")  # each with a value
RESUME = "--resume"


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector of cycles: there are none among millions of small objects that stay, and to look for them
    again and again takes half of the time of a large run."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@dataclass(frozen=True)
class Run:
    """`header` is run.json without `environment` and `cases`; `measurements` in the scenario's order of cases, or the
    order they finished in where run.json has none. `parts`: the name of its suite's part by the identity of a case."""

    folder: Path
    header: Mapping[str, Any]
    environment: Environment
    measurements: tuple[Measurement, ...]
    parts: Mapping[str, str] = field(default_factory=dict)
    machines: Mapping[str, Environment] = field(default_factory=dict)  # of a cluster, by `Measurement.machine`

    @staticmethod
    @uncollected()
    def read(folder: Path | str) -> Run:
        """The run in `folder`, finished or not. Raises StoreError."""
        stored = RunFolder.open(folder)
        header = dict(stored.header)
        try:
            environment = Environment.from_dict(header.pop("environment"))
            machines = {name: Environment.from_dict(one) for name, one in header.pop("machines", {}).items()}
            cases = header.pop("cases", ())
            parts = by_part(cases, header.get("parts") or ())
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as problem:
            raise StoreError(
                f"{stored.path / HEADER}: environment or parts cannot be read ({problem}): restore the file, or run "
                "again into another folder"
            ) from problem
        place = {case: i for i, case in enumerate(cases)}
        measurements = sorted(stored.measurements(), key=lambda one: place.get(one.case.id, len(place)))
        return Run(stored.path, header, environment, tuple(measurements), parts, machines)

    @cached_property
    def rows(self) -> list[Row]:
        peaks = {name: environment.ceilings for name, environment in self.machines.items()}
        with uncollected():
            return derive(self.measurements, self.environment.ceilings, peaks)

    @property
    def device_types(self) -> tuple[str, ...]:
        """Names of the devices that rows are from: several where a cluster has several kinds."""
        return tuple(dict.fromkeys(one.device_name for one in self.measurements if one.device_name)) or (
            self.environment.device_name,
        )

    def frame(self) -> pd.DataFrame:
        """The results in the columns of results.csv; see `tbench.analysis.frame.to_frame`."""
        return to_frame(self.rows)

    def again(self) -> list[str] | None:
        """Arguments for `tbench` that measure the same into another folder; None where the command was not recorded, or
        standard input, which is gone, was part of it."""
        words = repeated([str(word) for word in self.header.get("command") or ()])
        return words if words and "-" not in words else None


def by_part(cases: Sequence[str], counts: Sequence[tuple[str, int]] | Mapping[str, int]) -> dict[str, str]:
    """The part of each case, from how many of them in a row each part has; a mapping in older runs.

    Nothing where a mapping does not add up: it lost the cases of a part that was listed twice. Raises ValueError where
    pairs do not.
    """
    pairs = counts.items() if isinstance(counts, Mapping) else counts
    if counts and (sum(count for _, count in pairs) != len(cases) or any(count < 0 for _, count in pairs)):
        if isinstance(counts, Mapping):
            return {}
        raise ValueError("parts do not add up to the cases")
    names = [name for name, count in pairs for _ in range(count)]
    return dict(zip(cases, names, strict=False))


def repeated(words: Sequence[str]) -> list[str]:
    """A recorded command without the folder it wrote to (`-o DIR`, `-oDIR`, `--output DIR`, `--output=DIR`) and without
    `--resume`."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":  # what follows are no options
            return [*kept, word, *rest]
        name = word.partition("=")[0] if word.startswith("--") else word[:2]
        if name not in (*FOLDER, RESUME):
            kept.append(word)
        elif word in FOLDER:
            next(rest, None)
    return kept
