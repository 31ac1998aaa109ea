"""The C library's allocator: what it is called, and what keeping freed memory changes, in counts of page faults."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tbench.measure import allocator

LINE = "7f5e00000000-7f5e00200000 r-xp 00000000 08:01 {inode} {file}\n"
LIBC = LINE.format(inode=11, file="/usr/lib/x86_64-linux-gnu/libc.so.6")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in allocator.SETTINGS:
        monkeypatch.delenv(setting, raising=False)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", "jemalloc (preloaded)"),
        ("/usr/lib/libtcmalloc_minimal.so.4", "tcmalloc (preloaded)"),
        ("/opt/lib/libmimalloc.so.2.1", "mimalloc (preloaded)"),
    ],
)
def test_an_allocator_that_is_preloaded_is_told_by_name(file: str, name: str, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.write_text(LIBC + LINE.format(inode=12, file=file))
    assert allocator.name(maps) == name


def test_otherwise_it_is_the_c_librarys_with_what_the_user_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("glibc", "2.36"))
    maps = tmp_path / "maps"
    maps.write_text(LIBC)
    assert allocator.name(maps) == "glibc 2.36"
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
    assert allocator.name(maps) == "glibc 2.36 (with GLIBC_TUNABLES, MALLOC_ARENA_MAX)"


def test_without_maps_and_without_a_version_it_still_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("", ""))
    assert allocator.name(tmp_path / "none") == "the C library"


def test_a_page_fault_takes_time_and_less_than_a_millisecond() -> None:
    assert 0 < allocator.page_fault_seconds() < 1e-3


# What naive attention does with its scores: two large blocks, written and freed in every call.
FAULTS_OF_CALLS = """
import ctypes, json, mmap, resource, sys
from tbench.measure import allocator

BLOCK, CALLS = 64 * 2**20, 6
libc = ctypes.CDLL(None)
libc.prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: a huge page would be one fault for 512
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def call():
    before = faults()
    blocks = [libc.malloc(ctypes.c_size_t(BLOCK)) for _ in range(2)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK)
    for block in blocks:
        libc.free(block)
    return (faults() - before) / (2 * BLOCK / mmap.PAGESIZE)

kept = allocator.keep_freed_memory() if sys.argv[1] == "kept" else None
shares = [call() for _ in range(CALLS)]
gave = allocator.give_back()
print(json.dumps({"kept": kept, "shares": shares, "gave": gave, "after": call()}))
"""


def faults_of_calls(how: str) -> dict[str, object]:
    done = subprocess.run([sys.executable, "-c", FAULTS_OF_CALLS, how], capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(allocator.platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_settled_calls_touch_no_fresh_pages_where_freed_memory_is_kept() -> None:
    kept, usual = faults_of_calls("kept"), faults_of_calls("default")
    assert kept["kept"] is True
    assert max(kept["shares"][1:]) < 0.01  # type: ignore[index]
    assert kept["shares"][0] > 0.5  # type: ignore[index]
    assert min(usual["shares"]) > 0.5  # type: ignore[call-overload]
    assert kept["gave"] is True  # and once it has been given back, it is fresh again
    assert kept["after"] > 0.5  # type: ignore[operator]
