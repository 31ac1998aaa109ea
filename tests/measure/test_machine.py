"""Facts of a machine, read from a made-up one."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.measure import machine

TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture(autouse=True)
def installed_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = SimpleNamespace(total=64 << 30, available=48 << 30)
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: memory)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def cache(cpu: int, index: int, level: int, size: str, shared: str, kind: str = "Unified") -> dict[str, str]:
    folder = f"sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
    return {
        f"{folder}/level": str(level),
        f"{folder}/size": size,
        f"{folder}/shared_cpu_list": shared,
        f"{folder}/type": kind,
    }


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (
            "processor : 0\nmodel name\t: AMD EPYC 9654 96-Core Processor\nflags : fpu",
            "AMD EPYC 9654 96-Core Processor",
        ),
        ("processor : 0\nHardware : BCM2835", "BCM2835"),
        ("cpu model : MIPS 24Kc", "MIPS 24Kc"),
    ],
)
def test_the_processors_name(tmp_path: Path, text: str, name: str) -> None:
    assert machine.cpu_model(write(tmp_path, {"proc/cpuinfo": text})) == name


def test_a_processor_without_a_name_is_called_by_its_architecture(tmp_path: Path) -> None:
    assert machine.cpu_model(tmp_path) in (machine.platform.processor(), machine.platform.machine())


def test_each_last_level_cache_is_counted_once(tmp_path: Path) -> None:
    files: dict[str, str] = {}
    for cpu in range(4):
        files |= cache(cpu, 0, 1, "32K", str(cpu), "Data") | cache(cpu, 1, 1, "64K", str(cpu), "Instruction")
        files |= cache(cpu, 2, 2, "1024K", str(cpu)) | cache(cpu, 3, 3, "32M", "0-1" if cpu < 2 else "2-3")
    root = write(tmp_path, files)
    assert machine.last_level_cache_bytes(root, frozenset(range(4))) == 64 << 20
    assert machine.last_level_cache_bytes(root, frozenset({0, 1})) == 32 << 20
    assert machine.last_level_cache_bytes(root, frozenset({3})) == 32 << 20


def test_a_machine_that_tells_no_cache(tmp_path: Path) -> None:
    files = cache(0, 0, 3, "unknown", "0")
    assert machine.last_level_cache_bytes(write(tmp_path, files), frozenset({0})) is None


# ---------------------------------------------------------------------- control groups


def test_the_tightest_quota_on_the_way_up_counts(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/batch/job",
        "sys/fs/cgroup/batch/job/cpu.max": "max 100000",
        "sys/fs/cgroup/batch/cpu.max": "150000 100000",
        "sys/fs/cgroup/cpu.max": "800000 100000",
    }
    assert machine.cpu_quota(write(tmp_path, files)) == 1.5


def test_a_quota_in_version_1(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:memory:/job\n4:cpu,cpuacct:/job",
        "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "200000",
        "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
    }
    assert machine.cpu_quota(write(tmp_path, files)) == 2.0


@pytest.mark.parametrize("files", [{}, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}])
def test_no_quota(tmp_path: Path, files: dict[str, str]) -> None:
    assert machine.cpu_quota(write(tmp_path, files)) is None


def test_a_containers_limit_is_the_memory_there_is(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/host/path/that/is/not/here",
            "sys/fs/cgroup/memory.max": str(4 << 30),
            "sys/fs/cgroup/memory.current": str(3 << 30),
            "sys/fs/cgroup/memory.stat": f"anon 1\ninactive_file {1 << 30}",
        },
    )
    assert machine.memory_bytes(root) == 4 << 30
    assert machine.free_memory_bytes(root) == 2 << 30  # the page cache can be given back


def test_a_limit_in_version_1(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "5:memory:/job",
            "sys/fs/cgroup/memory/job/memory.limit_in_bytes": str(2 << 30),
            "sys/fs/cgroup/memory/job/memory.usage_in_bytes": str(1 << 30),
            "sys/fs/cgroup/memory/job/memory.stat": "total_inactive_file 0",
        },
    )
    assert machine.free_memory_bytes(root) == 1 << 30


def test_without_a_limit_the_machines_memory_counts(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/memory.max": "max",
            "sys/fs/cgroup/memory.current": str(3 << 30),
        },
    )
    assert machine.memory_bytes(root) == 64 << 30
    assert machine.free_memory_bytes(root) == 48 << 30


def test_a_group_over_its_limit_has_nothing_free(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "1000", "sys/fs/cgroup/memory.current": "2000"},
    )
    assert machine.free_memory_bytes(root) == 0


# ---------------------------------------------------------------------- clocks and load


def test_the_slowest_governor_counts(tmp_path: Path) -> None:
    policy = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"
    root = write(tmp_path, {policy.format(0): "performance", policy.format(1): "powersave"})
    assert machine.governor(root, frozenset({0})) == "performance"
    assert machine.governor(root, frozenset({0, 1})) == "powersave"
    assert machine.governor(root, frozenset({2})) is None


def test_an_nvidia_driver_is_seen(tmp_path: Path) -> None:
    assert not machine.nvidia_gpu_present(tmp_path)
    assert machine.nvidia_gpu_present(write(tmp_path, {"proc/driver/nvidia/version": "NVRM version: 570"}))


def stat(*busy_and_idle: tuple[int, int]) -> str:
    """/proc/stat with one line per processor: user, nice, system, idle, iowait, irq, softirq, steal, guest."""
    lines = [f"cpu{cpu} {busy} 0 0 {idle} 0 0 0 0 5 0" for cpu, (busy, idle) in enumerate(busy_and_idle)]
    return "\n".join(["cpu 1 1 1 1 1 1 1 1 1 1", *lines, "intr 1"])


def load(root: Path, before: str, after: str, own: float, cpus: frozenset[int]) -> float | None:
    write(root, {"proc/stat": before})
    times = iter((10.0, 10.0 + own))

    def sleep(seconds: float) -> None:
        write(root, {"proc/stat": after})

    return machine.other_load(1.0, root, cpus, sleep=sleep, own_seconds=lambda: next(times))


def test_load_is_of_others_and_on_our_processors(tmp_path: Path) -> None:
    before = stat((7, 7), (0, 0), (0, 0))
    after = stat((7 + TICKS, 7), (TICKS // 2, TICKS // 2), (TICKS, 0))
    cpus = frozenset({0, 1})
    assert load(tmp_path, before, after, 0.0, cpus) == pytest.approx(1.5)
    assert load(tmp_path, before, after, 1.0, cpus) == pytest.approx(0.5)


@given(busy=st.integers(0, 1000), idle=st.integers(1, 1000), own=st.floats(0, 100))
def test_load_is_between_nothing_and_all_cores(
    tmp_path_factory: pytest.TempPathFactory, busy: int, idle: int, own: float
) -> None:
    root = tmp_path_factory.mktemp("proc")
    seen = load(root, stat((1, 1)), stat((1 + busy, 1 + idle)), own, frozenset({0}))
    assert seen is not None
    assert 0.0 <= seen <= 1.0


def test_load_that_cannot_be_told_is_none(tmp_path: Path) -> None:
    assert machine.other_load(0.0, tmp_path, frozenset({0}), sleep=lambda _: None) is None
    still = stat((5, 5))
    assert load(tmp_path, still, still, 0.0, frozenset({0})) is None


def test_this_machine_has_processors_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert machine.allowed_cpus()
    assert machine.cpu_model()
    assert 0 < machine.free_memory_bytes() <= machine.memory_bytes()
