"""In what two runs differ besides their code: machine, software, sampling, load, clocks."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tbench.analysis.clocks import told
from tbench.analysis.run import Run
from tbench.records import Environment
from tbench.store.same import SAME_MACHINE

# In the order they are told; what changes times comes first.
FIELDS = (
    *SAME_MACHINE,
    *("cores", "python", "platform", "memory_bytes", "last_level_cache_bytes", "device_uuid", "device_memory_bytes"),
)
LOAD_DIGITS = 1  # tenths of a core; less is what any machine does in passing
LOAD_SHARE = 0.1  # of the cores: others that use so much more take it from what is measured
CLOCK_SHARE = 0.01  # clocks of one GPU wander by less
CHANGES_TIMES = ("cache", "allocator", "launch", "fp32_precision")  # of sampling; the rest changes how sure a time is


BEFORE_THERE_WAS_A_CHOICE = {"launch": "ahead", "fp32_precision": "ieee"}


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same. `base`, `new`: the values as recorded, None where they are not known.

    `changes_times`: differences in time between such runs are not the code's alone.
    """

    name: str
    base: Any
    new: Any
    changes_times: bool = False


def differences(base: Environment, new: Environment) -> list[Difference]:
    """What differs between two machines and their software."""
    pairs = [(name, getattr(base, name), getattr(new, name), name in SAME_MACHINE) for name in FIELDS]
    packages = {**base.packages, **new.packages}
    pairs += [(f"package {name}", base.packages.get(name), new.packages.get(name), False) for name in packages]
    settings = {**base.variables, **new.variables}
    pairs += [(f"variable {name}", base.variables.get(name), new.variables.get(name), True) for name in settings]
    pairs.append(("load", _load(base), _load(new), _busier(base, new)))
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]


def between_runs(base: Run, new: Run) -> list[Difference]:
    """The same, and what differs in how the runs sampled and in the clocks that were seen meanwhile."""
    found = [
        *differences(base.environment, new.environment),
        *_sampling(base, new),
        *_ways_of_timing(base, new),
        *_clocks(base, new),
    ]
    return sorted(found, key=lambda one: not one.changes_times)


def _load(environment: Environment) -> float | None:
    return None if environment.load is None else round(environment.load, LOAD_DIGITS)


def _busier(base: Environment, new: Environment) -> bool:
    """Whether other processes had notably more of one machine than of the other, just before the runs."""
    if base.load is None or new.load is None:
        return False
    return abs(base.load - new.load) > LOAD_SHARE * min(base.cores, new.cores)


def _sampling(base: Run, new: Run) -> Iterator[Difference]:
    """A value for each field, or the list of those that the scenarios of a suite have."""
    first, second = _sections(base), _sections(new)
    shared = first.keys() & second.keys() or first.keys() | second.keys()
    for name in dict.fromkeys(field for one in (first, second) for section in one.values() for field in section):
        old, now = (
            list(dict.fromkeys(one[part][name] for part in one if part in shared and name in one[part]))
            for one in (first, second)
        )
        if old != now:
            yield Difference(f"sampling {name}", _single(old), _single(now), name in CHANGES_TIMES)


def _sections(run: Run) -> dict[str, Mapping[str, Any]]:
    scenario = run.header.get("scenario") or {}
    parts = scenario.get("parts") or [scenario]
    return {str(part.get("name", "")): with_usual(part.get("sampling") or {}) for part in parts}


def with_usual(sampling: Mapping[str, Any]) -> Mapping[str, Any]:
    """With what older runs do not say, for there was no choice (a GPU's clock is recorded in the turns)."""
    return {**BEFORE_THERE_WAS_A_CHOICE, **sampling} if sampling else sampling


def _single(values: list[Any]) -> Any:
    return None if not values else values[0] if len(values) == 1 else values


def _ways_of_timing(base: Run, new: Run) -> Iterator[Difference]:
    """With the host in the times of a GPU, or without it."""
    old, now = (sorted({told(one) for one in run.measurements} - {None}, key=str) for run in (base, new))
    if old and now and old != now:
        yield Difference("clock", _single(old), _single(now), changes_times=True)


def _clocks(base: Run, new: Run) -> Iterator[Difference]:
    for name in ("sm_clock_mhz", "memory_clock_mhz"):
        old, now = _clock(base, name), _clock(new, name)
        if (old is None) != (now is None) or (old and now and abs(now / old - 1) > CLOCK_SHARE):
            yield Difference(name, old, now)


def _clock(run: Run, name: str) -> float | None:
    """Median over all turns of the middle between the lowest and the highest clock seen."""
    seen = [
        (turn.telemetry[f"{name}_min"] + turn.telemetry[f"{name}_max"]) / 2
        for measurement in run.measurements
        for turn in measurement.turns
        if f"{name}_min" in turn.telemetry and f"{name}_max" in turn.telemetry
    ]
    return statistics.median(seen) if seen else None
