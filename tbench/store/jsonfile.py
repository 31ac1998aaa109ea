"""JSON files that survive a crash: lines appended and synced, whole files replaced in one step.

Standard JSON: a float that JSON has not is the object `{"$float": "nan"}` (or `inf`, `-inf`) and comes back as it was.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def dumps(value: Any, indent: int | None = None) -> bytes:
    """`value` as one line (or indented) of ASCII JSON with a newline at its end. Mappings and tuples are welcome."""
    return (json.dumps(_encode(value), indent=indent, allow_nan=False) + "\n").encode()


def loads(data: bytes) -> Any:
    """What `dumps` wrote; tuples come back as lists. Raises ValueError."""
    try:
        value = json.loads(data)
        return _decode(value) if b"$float" in data else value
    except RecursionError:
        raise ValueError("nested too deeply") from None


def append(handle: int, line: bytes) -> None:
    """Add a line to an open file and wait until it is on the disk.

    If that fails (OSError), the file is as before. On Ctrl-C the line is completed: what it tells has been measured.
    """
    size = os.fstat(handle).st_size
    try:
        try:
            _write(handle, line)
        except KeyboardInterrupt:
            _write(handle, line[os.fstat(handle).st_size - size :])
            raise
    except OSError:
        with suppress(OSError):
            os.ftruncate(handle, size)
        raise


def replace(path: Path, data: bytes) -> None:
    """Write a whole file so that a reader, or a crash, sees the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            _write(handle, data)
        finally:
            os.close(handle)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # the renaming itself
    finally:
        os.close(directory)


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number (from 1) and content of every whole line; what a crash left of the last one is passed over."""
    with path.open("rb") as file:
        number, last = 0, b""
        for line in file:
            if not line.endswith(b"\n"):
                break
            if last:
                yield number, last
            number, last = number + 1, line
        if last and whole(last):
            yield number, last


def cut_torn_line(path: Path) -> None:
    """Remove what a crash left of the last line, so that the next one does not grow onto it."""
    data = path.read_bytes()
    if whole(data) < len(data):
        os.truncate(path, whole(data))


def whole(data: bytes) -> int:
    """Length of the part of `data` that ends with a complete line of JSON."""
    end = data.rfind(b"\n") + 1
    start = data.rfind(b"\n", 0, max(end - 1, 0)) + 1
    try:
        json.loads(data[start:end] or b"null")
    except (ValueError, RecursionError):  # the file's new length reached the disk before its content did
        return start
    return end


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
    os.fsync(handle)


def _encode(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(float(value))}
    if isinstance(value, Mapping):
        return {str(key): _encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(item) for item in value]
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"$float"}:
            return float(value["$float"])
        return {key: _decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return value
