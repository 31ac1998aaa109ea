"""The run folder: what a run has measured, safe from Ctrl-C, `kill -9` and a second run.

    run.json             the header: schema_version, status, started, ended, counts, and what `create` was given
    measurements.jsonl   one line per finished case, appended and synced as it happens
    unfinished.jsonl     the cases in flight, as of their last complete round; gone when the run ends

Everything else in the folder (results.csv, report.md, …) can be derived again. `jsonfile` says how the files
survive a crash.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tbench.errors import StoreError
from tbench.records import Measurement
from tbench.store import jsonfile, renamed
from tbench.store.same import refuse_differences

SCHEMA_VERSION = 1
HEADER, FINISHED, UNFINISHED = "run.json", "measurements.jsonl", "unfinished.jsonl"
DERIVED = ("results.csv", "report.md", "table.md")


class RunFolder:
    """A run folder on disk. `create` and `resume` lock it for writing until `close` (or `with`); `open` only reads."""

    def __init__(self, path: Path, header: dict[str, Any], lock: int | None) -> None:
        self.path = path
        self.header = header
        self._lock = lock

    @classmethod
    def create(cls, path: Path | str, header: Mapping[str, Any]) -> RunFolder:
        """Start a run in `path`, which may exist but must not hold another. Raises StoreError.

        `header`: JSON values; by convention `scenario` (resolved), `environment`, `seed`, `select`, `cases`
        (identities, in the order to show them), `command` (the arguments that repeat the run) and `counts`.
        """
        folder = Path(path)
        refuse_taken(folder)
        lock = _lock(folder)
        if (folder / HEADER).exists():  # another run was quicker between the look and the lock
            os.close(lock)
            raise StoreError(f"another run has just started in {folder}: name another folder with -o")
        run = cls(folder, {}, lock)
        run._write_header(
            {"schema_version": SCHEMA_VERSION, "status": "running", "started": _now(), "ended": None, "counts": {}}
            | _plain(header)
        )
        return run

    @classmethod
    def resume(cls, path: Path | str, header: Mapping[str, Any]) -> RunFolder:
        """Go on with the run in `path`, or start one where there is none. `header` as for `create`.

        Raises StoreError, saying what differs, when the folder holds a run of another scenario, seed or selection, or
        of another machine or torch. A line that was cut off by a crash is removed.
        """
        folder = Path(path)
        if not (folder / HEADER).exists():
            if _holds(folder / FINISHED):
                raise StoreError(f"{folder} has measurements but no {HEADER}: restore it, or run into another folder")
            return cls.create(folder, header)
        lock = _lock(folder)
        try:
            stored = _read_header(folder)
            refuse_differences(folder, stored, _plain(header))
            jsonfile.cut_torn_line(folder / FINISHED)
            run = cls(folder, stored, lock)
            resumed = [*stored.get("resumed", ()), _now()]
            asked = _plain(header)
            again = {"parts": asked["parts"]} if "parts" in asked else {}  # how the same cases are grouped
            if "machines" in asked:  # rows are from those that were there before, too
                again["machines"] = {**stored.get("machines", {}), **asked["machines"]}
            run._write_header({**stored, **again, "status": "running", "ended": None, "resumed": resumed})
        except BaseException:
            os.close(lock)
            raise
        return run

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """Read the run in `path`, also while it is being written. Raises StoreError."""
        folder = Path(path)
        return cls(folder, _read_header(folder), None)

    def append(self, measurement: Measurement) -> None:
        """Add a finished case. On return it is on the disk; on failure the file is as before."""
        handle = self._writable()
        with _cannot_write(self.path / FINISHED):
            jsonfile.append(handle, jsonfile.dumps(measurement.to_dict()))

    def checkpoint(self, measurements: Iterable[Measurement]) -> None:
        """Save cases that are still being measured, in place of the last checkpoint; `append` those that finish."""
        self._writable()
        _replace(self.path / UNFINISHED, b"".join(jsonfile.dumps(one.to_dict()) for one in measurements))

    def finish(self, status: str = "complete") -> None:
        """Write how the run ended (`complete`, `interrupted`, …), when, and how many cases had which status.

        After `complete` nothing is unfinished; otherwise the cases in flight stay, to be continued by `resume`.
        """
        self._writable()
        if status == "complete":
            (self.path / UNFINISHED).unlink(missing_ok=True)
        counts = Counter(measurement.status for measurement in self.finished().values())
        counts_by_name = {**self.header.get("counts", {}), **dict(sorted(counts.items()))}
        self._write_header({**self.header, "status": status, "ended": _now(), "counts": counts_by_name})

    def update(self, **changed: Any) -> None:
        """Replace entries of the header; of a mapping, the entries it has."""
        self._writable()
        old = self.header
        new = {
            name: {**old.get(name, {}), **value} if isinstance(value, dict) else value
            for name, value in _plain(changed).items()
        }
        self._write_header({**old, **new})

    def finished(self) -> dict[str, Measurement]:
        """The finished cases by identity, in the order appended; of a case measured again the last counts."""
        return {measurement.case.id: measurement for measurement in _read_lines(self.path / FINISHED)}

    def unfinished(self) -> dict[str, Measurement]:
        """The cases in flight at the last checkpoint that have not been appended since."""
        return self._read()[1]

    def _read(self) -> tuple[dict[str, Measurement], dict[str, Measurement]]:
        """The finished cases, and those in flight: read first, or one that is being finished would be in neither."""
        found = [*_read_lines(self.path / UNFINISHED)] if (self.path / UNFINISHED).exists() else []
        done = self.finished()
        return done, {measurement.case.id: measurement for measurement in found if measurement.case.id not in done}

    def measurements(self) -> list[Measurement]:
        """Everything measured: finished cases, then those in flight, as `interrupted`."""
        finished, in_flight = self._read()
        cut = (replace(one, stopped=one.stopped or "interrupted") for one in in_flight.values())
        return [*finished.values(), *cut]

    def close(self) -> None:
        """Release the folder. Closing twice is harmless."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write_header(self, header: dict[str, Any]) -> None:
        _replace(self.path / HEADER, jsonfile.dumps(header, indent=2))
        self.header = header

    def _writable(self) -> int:
        if self._lock is None:
            raise StoreError(f"{self.path} was opened for reading only")
        return self._lock


def write_file(path: Path, content: str) -> None:
    """Put a file that can be derived again into a run folder, whole or not at all. Raises StoreError."""
    _replace(path, content.encode())


def _replace(path: Path, data: bytes) -> None:
    with _cannot_write(path):
        jsonfile.replace(path, data)


@contextmanager
def _cannot_write(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise StoreError(
            f"{path}: {problem.strerror}. Everything before is saved: make room, then continue with --resume"
        ) from problem


def refuse_taken(folder: Path) -> None:
    """Make the folder of a new run. Raises StoreError if it holds another, or cannot be made."""
    _make(folder)
    present = [name for name in (HEADER, FINISHED, UNFINISHED, *DERIVED) if _holds(folder / name)]
    if present:
        raise StoreError(
            f"{folder} already holds a run ({', '.join(present)}): continue it with --resume, or name another "
            "folder with -o"
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StoreError(f"{folder}: cannot be created: {problem.strerror}; name another folder with -o") from problem


def _holds(path: Path) -> bool:
    # An empty measurements.jsonl is what a run leaves that was killed before its first write.
    return path.exists() and (path.name != FINISHED or path.stat().st_size > 0)


def _lock(folder: Path) -> int:
    """Opens measurements.jsonl for appending and locks it; the lock goes with the process, however that ends."""
    try:
        handle = os.open(folder / FINISHED, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError as problem:
        raise StoreError(f"{folder}: cannot be written: {problem.strerror}; name another folder with -o") from problem
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise StoreError(
            f"another run is writing to {folder}: wait until it ends, or name another folder with -o"
        ) from None
    except OSError as problem:
        os.close(handle)
        raise StoreError(
            f"{folder}: cannot be locked: {problem.strerror}; name a folder on a local disk with -o"
        ) from problem
    return handle


def _read_header(folder: Path) -> dict[str, Any]:
    path = folder / HEADER
    try:
        header = jsonfile.loads(path.read_bytes())
    except FileNotFoundError:
        what = "holds no run" if folder.is_dir() else "does not exist"
        raise StoreError(f"{folder} {what} (no {HEADER}): name the folder that `tbench run -o` wrote") from None
    except OSError as problem:
        raise StoreError(f"{path}: cannot be read: {problem.strerror}") from problem
    except ValueError as problem:
        raise StoreError(f"{path}: is not JSON ({problem}): restore it, or run again into another folder") from problem
    version = header.get("schema_version") if isinstance(header, dict) else None
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{path}: has schema_version {json.dumps(version)}, this tbench reads {SCHEMA_VERSION}: "
            "use the version of tbench that wrote it, or run again into another folder"
        )
    try:
        return {**header, "cases": [renamed.identity(case) for case in header.get("cases", ())]}
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise StoreError(
            f"{path}: its cases cannot be read ({problem}): restore it, or run again into another folder"
        ) from problem


def _read_lines(path: Path) -> Iterator[Measurement]:
    try:
        for number, line in jsonfile.lines(path):
            try:
                data = jsonfile.loads(line)
                yield Measurement.from_dict(renamed.measurement(data))
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as problem:
                raise StoreError(
                    f"{path}:{number}: is not a measurement ({problem}): remove the line, then measure the case "
                    "again with --resume"
                ) from problem
    except OSError as problem:
        raise StoreError(f"{path}: cannot be read: {problem.strerror}") from problem


def _plain(header: Mapping[str, Any]) -> dict[str, Any]:
    """The header as it will read back: tuples as lists, so that what is stored and what is asked compare equal."""
    return dict(jsonfile.loads(jsonfile.dumps(header)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
