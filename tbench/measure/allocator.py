"""What serves the memory of a CPU's workers, and how it is told to keep what is freed.

glibc maps a block of 32 MiB or more anew at every allocation, and the kernel zeroes it page by page at first touch:
naive attention on 1024 tokens spends more than half of its time there. A GPU's caching allocator never does this, and
CPU deployments preload jemalloc or tcmalloc for it. So workers keep freed memory unless a scenario says
`allocator: default`. What that leaves of page faults is counted in every turn.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import time
from pathlib import Path

PRELOADED = ("jemalloc", "tcmalloc", "mimalloc")
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of mallopt(3)
NEVER = -1  # becomes the largest size there is
PAD = 64 * 2**20  # bytes taken from the system at a time
SETTINGS = (
    "GLIBC_TUNABLES",
    "MALLOC_ARENA_MAX",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
)
TOUCHED = 32 * 2**20
TRIES = 5


def name(maps: Path = Path("/proc/self/maps")) -> str:
    """`glibc 2.36`, `jemalloc (preloaded)` …, and the user's own settings of it where there are some."""
    try:
        mapped = maps.read_text(encoding="utf-8", errors="replace")
    except OSError:
        mapped = ""
    other = next((one for one in PRELOADED if f"lib{one}" in mapped), None)
    if other is not None:
        return f"{other} (preloaded)"
    library = " ".join(platform.libc_ver()).strip() or "the C library"
    own = [setting for setting in SETTINGS if setting in os.environ]
    return f"{library} (with {', '.join(own)})" if own else library


def keep_freed_memory() -> bool:
    """Have the C library serve every block from its heap and never give any of it back; whether it can be told so."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(
        mallopt(option, value) for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, NEVER), (M_TOP_PAD, PAD))
    )


def give_back() -> bool:
    """Give freed memory to the system; whether there was any."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return bool(trim(0)) if trim is not None else False


def page_fault_seconds() -> float:
    """What the first touch of a fresh page costs here, zeroing included: the fastest of some tries."""
    page = mmap.PAGESIZE
    best = float("inf")
    for _ in range(TRIES):
        with mmap.mmap(-1, TOUCHED) as fresh:
            if hasattr(mmap, "MADV_NOHUGEPAGE"):
                fresh.madvise(mmap.MADV_NOHUGEPAGE)
            view = (ctypes.c_char * TOUCHED).from_buffer(fresh)
            began = time.perf_counter()
            ctypes.memset(view, 1, TOUCHED)
            first = time.perf_counter() - began
            began = time.perf_counter()
            ctypes.memset(view, 2, TOUCHED)
            best = min(best, first - (time.perf_counter() - began))
            del view
    return max(best, 0.0) / (TOUCHED / page)
