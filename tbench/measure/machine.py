"""Facts of the machine that can be had without torch: cores, caches, limits of a container, load.

Every function takes `root`, the directory that holds `proc` and `sys`, so that tests can build a machine.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

ROOT = Path("/")
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def cpu_model(root: Path = ROOT) -> str:
    """The processor's marketing name; its architecture where the system does not report it."""
    for line in read(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() in ("model name", "cpu model", "hardware") and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()


def allowed_cpus() -> frozenset[int]:
    """Numbers of the logical processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def last_level_cache_bytes(root: Path = ROOT, cpus: frozenset[int] | None = None) -> int | None:
    """Bytes of last-level cache the allowed processors have together, None where the system does not report it.

    A large server has one such cache per group of cores; each is counted once.
    """
    found: dict[tuple[int, str], int] = {}
    for cpu in sorted(allowed_cpus() if cpus is None else cpus):
        for index in sorted((root / f"sys/devices/system/cpu/cpu{cpu}/cache").glob("index*")):
            level, size = read(index / "level"), read(index / "size")
            if level.isdigit() and size[:-1].isdigit() and size[-1] in UNITS and read(index / "type") != "Instruction":
                shared_by = read(index / "shared_cpu_list") or str(cpu)
                found[int(level), shared_by] = int(size[:-1]) * UNITS[size[-1]]
    if found:
        last = max(level for level, _ in found)
        return sum(size for (level, _), size in found.items() if level == last)
    for name in ("SC_LEVEL4_CACHE_SIZE", "SC_LEVEL3_CACHE_SIZE", "SC_LEVEL2_CACHE_SIZE"):
        if root == ROOT and name in os.sysconf_names and os.sysconf(name) > 0:
            return os.sysconf(name)
    return None


def cpu_quota(root: Path = ROOT) -> float | None:
    """Cores' worth of processor time the container or service may use, None without a limit."""
    quotas: list[float] = []
    for folder in control_groups(root, "cpu"):
        words = read(folder / "cpu.max").split() or [
            read(folder / "cpu.cfs_quota_us"),
            read(folder / "cpu.cfs_period_us"),
        ]
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):  # "max" and -1: no limit
            quotas.append(int(words[0]) / int(words[1]))
    return min(quotas, default=None)


def memory_bytes(root: Path = ROOT) -> int:
    """Main memory this process may use: the machine's, or less in a container."""
    return min([psutil.virtual_memory().total, *(limit for limit, _ in memory_limits(root))])


def free_memory_bytes(root: Path = ROOT) -> int:
    """Main memory that can be allocated now without swapping or hitting a container's limit."""
    rooms = [max(0, limit - used) for limit, used in memory_limits(root)]
    return min([psutil.virtual_memory().available, *rooms])


def memory_limits(root: Path = ROOT) -> Iterator[tuple[int, int]]:
    """Pairs (limit, used without what the page cache can give back) of the control groups that have a limit."""
    for folder in control_groups(root, "memory"):
        limit = read(folder / "memory.max") or read(folder / "memory.limit_in_bytes")
        used = read(folder / "memory.current") or read(folder / "memory.usage_in_bytes")
        if limit.isdigit() and used.isdigit():
            counters = dict(line.split(None, 1) for line in read(folder / "memory.stat").splitlines() if " " in line)
            cached = counters.get("inactive_file") or counters.get("total_inactive_file") or "0"
            yield int(limit), max(0, int(used) - int(cached))


def control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the control groups this process is in, from its own up to the root (cgroup v2, then v1)."""
    for line in read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup"
        if controllers:
            mount /= controller
        folder = mount / path.lstrip("/")
        # In a container the path may be the host's, which does not exist here; its mount is then our own group.
        for group in [folder, *folder.parents]:
            if group.is_relative_to(mount):
                yield group


def governor(root: Path = ROOT, cpus: frozenset[int] | None = None) -> str | None:
    """The frequency governor of the allowed processors, the slowest if they differ; None if there is none."""
    names = {
        read(root / f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor")
        for cpu in (allowed_cpus() if cpus is None else cpus)
    } - {""}
    return "powersave" if "powersave" in names else min(names, default=None)


def nvidia_gpu_present(root: Path = ROOT) -> bool:
    """Whether the NVIDIA driver is loaded, whatever torch can do with it."""
    return (root / "proc/driver/nvidia/version").exists()


def other_load(
    seconds: float = 0.2,
    root: Path = ROOT,
    cpus: frozenset[int] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    own_seconds: Callable[[], float] = time.process_time,
) -> float | None:
    """Cores kept busy by other processes (or taken away by a hypervisor) during `seconds`, None if untold."""
    allowed = allowed_cpus() if cpus is None else cpus
    before, own_before = cpu_ticks(root, allowed), own_seconds()
    sleep(seconds)
    after, own = cpu_ticks(root, allowed), own_seconds() - own_before
    if before is None or after is None or after[1] <= before[1]:
        return None
    busy, passed = after[0] - before[0], after[1] - before[1]
    tick = 1 / os.sysconf("SC_CLK_TCK")
    return max(0.0, (busy * tick - own) / (passed * tick / len(allowed)))


def cpu_ticks(root: Path, cpus: frozenset[int]) -> tuple[int, int] | None:
    """Ticks (busy, all) of the given processors since boot, from /proc/stat."""
    busy = total = 0
    for line in read(root / "proc/stat").splitlines():
        name, *words = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in cpus:
            user, nice, system, idle, waiting, *rest = (int(word) for word in words[:8])  # guest time is in user time
            busy += user + nice + system + sum(rest)
            total += user + nice + system + idle + waiting + sum(rest)
    return (busy, total) if total else None


def read(path: Path) -> str:
    """A system file's text without surrounding space; empty if there is no such file."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
