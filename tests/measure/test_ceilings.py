"""Ceilings: exact on a scripted clock, real on this CPU, and kept between runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tbench.measure import cache, ceilings, machine
from tbench.measure.ceilings import best_of, load_or_measure, measure, reads
from tbench.measure.timed import Timed
from tbench.records import Ceilings
from tbench.store import usercache
from tests.measure.fakes import Call, ScriptedDevice

MIB = 2**20
GOOD = Ceilings({"float32": 1e11}, ((MIB, 2e11), (2 * MIB, 1e11)), "2026-01-01T00:00:00+00:00", 2)


class SteadyDevice(ScriptedDevice):
    """Every call takes `seconds`, whatever it does; it is run once, so that what cannot run fails."""

    seconds = 1e-3

    def time(self, fn: Call, calls: int, ahead: bool = False, longer: float = 0.0) -> Timed:
        result = fn()
        self.clock += self.seconds * calls
        return Timed(self.seconds, None, 0, result)


@pytest.fixture
def own_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tbench"


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Spinning threads would wait for each other where other processes have the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def small(one_thread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ceilings measured in no time: small matrices, small working sets."""
    monkeypatch.setattr(ceilings, "LARGEST_SIDE", 256)
    monkeypatch.setattr(ceilings, "LARGEST_SET", {"cpu": MIB})
    monkeypatch.setattr(ceilings, "PRODUCT_SECONDS", 0.002)
    monkeypatch.setattr(ceilings, "READ_SECONDS", 0.002)


def test_rates_follow_from_the_clock(small: None) -> None:
    measured = measure(SteadyDevice())
    assert measured.flops == pytest.approx(dict.fromkeys(ceilings.DTYPES, 2 * 256**3 / 1e-3))
    assert dict(measured.bandwidth) == pytest.approx({size: size / 1e-3 for size in (MIB // 4, MIB // 2, MIB)})
    assert measured.threads == torch.get_num_threads()


def test_matrices_grow_until_a_product_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    device = SteadyDevice()
    device.seconds = 0.01  # eight times as long would be past the limit
    assert ceilings.product_rate(device, "float32") == pytest.approx(2 * 256**3 / 0.01)


def test_matrices_that_do_not_fit_are_not_tried() -> None:
    device = SteadyDevice(free=8 * MIB)  # a quarter holds three matrices of side 256, not of side 512
    assert ceilings.product_rate(device, "float32") == pytest.approx(2 * 256**3 / 1e-3)


def test_without_memory_for_a_product_there_is_no_ceiling() -> None:
    assert ceilings.product_rate(SteadyDevice(free=MIB), "float32") is None


def test_a_dtype_that_cannot_be_multiplied_has_no_entry(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    multiply = torch.matmul

    def no_half(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        if a.dtype == torch.float16:
            raise RuntimeError("\"addmm_impl_cpu_\" not implemented for 'Half'")
        return multiply(a, b)

    monkeypatch.setattr(torch, "matmul", no_half)
    assert set(measure(SteadyDevice()).flops) == {"float32", "bfloat16"}


def test_a_gpus_float32_ceiling_knows_of_three_tf32_products(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {"highest": 50e12, "high": 450e12}
    monkeypatch.setattr(ceilings, "fastest_product", lambda *_: rates[torch.get_float32_matmul_precision()])
    device = ScriptedDevice()
    device.name = "cuda:0"
    assert ceilings.product_rates(device)["float32"] == 150e12
    assert ceilings.product_rates(device)["tf32"] == 450e12
    assert ceilings.product_rate(device, "bfloat16") == 50e12
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_working_sets_leave_memory_to_others(one_thread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceilings, "LARGEST_SET", {"cpu": 2**40})
    rates = ceilings.read_rates(SteadyDevice(free=5 * MIB))
    assert list(rates) == [MIB // 4, MIB // 2, MIB]


def test_every_reading_operation_sees_the_whole_working_set() -> None:
    x = torch.zeros(MIB // 4)
    x[0] = x[-1] = 1.0
    total, dot, copy, keys, values = reads(x)
    assert float(total()) == 2.0
    assert float(dot()) == 0.0
    x.fill_(1.0)
    assert float(dot()) == x.numel() / 2
    assert keys().shape == (ceilings.HEADS, 1, x.numel() // ceilings.HEADS // ceilings.HEAD_DIM)
    assert values().shape == (ceilings.HEADS, 1, ceilings.HEAD_DIM)
    x[x.numel() // 2 :] = 3.0
    copy()
    assert bool((x == 3.0).all())


def test_this_cpu_has_ceilings(small: None, own_cache_folder: Path) -> None:
    measured = load_or_measure("cpu")
    assert measured.flops["float32"] > 0
    sizes = [size for size, _ in measured.bandwidth]
    assert sizes == sorted(sizes)
    assert all(rate > 0 for _, rate in measured.bandwidth)


# ---------------------------------------------------------------------- kept between runs


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, own_cache_folder: Path) -> list[Ceilings]:
    """What each measuring will bring; measuring once more than that fails the test."""
    results: list[Ceilings] = []
    monkeypatch.setattr(ceilings, "measure", lambda device: results.pop(0))
    monkeypatch.setattr(machine, "other_load", lambda: 0.0)
    return results


def with_rates(flops: float, *bandwidth: float) -> Ceilings:
    return Ceilings({"float32": flops}, tuple((MIB << i, rate) for i, rate in enumerate(bandwidth)), "now", 2)


def test_measured_once_and_kept(scripted: list[Ceilings], own_cache_folder: Path) -> None:
    scripted.append(GOOD)
    assert load_or_measure("cpu") == GOOD
    assert load_or_measure("cpu") == GOOD
    (file,) = own_cache_folder.iterdir()
    assert file.name.startswith("ceilings-")
    assert Ceilings.from_dict(json.loads(file.read_text())) == GOOD


def test_raising_keeps_the_better_of_both_and_replacing_forgets(scripted: list[Ceilings]) -> None:
    scripted += [with_rates(100.0, 30.0, 20.0), with_rates(90.0, 40.0, 10.0), with_rates(80.0, 1.0, 1.0)]
    load_or_measure("cpu")
    raised = load_or_measure("cpu", "raise")
    assert raised == with_rates(100.0, 40.0, 20.0)
    assert load_or_measure("cpu") == raised
    assert load_or_measure("cpu", "replace") == load_or_measure("cpu") == with_rates(80.0, 1.0, 1.0)


def test_ceilings_from_a_busy_moment_are_measured_again_in_a_calmer_one(
    scripted: list[Ceilings], monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted += [with_rates(50.0, 9.0), with_rates(100.0, 8.0)]
    monkeypatch.setattr(machine, "other_load", lambda: 1.5)
    assert load_or_measure("cpu").load == 1.5
    assert load_or_measure("cpu").load == 1.5  # no calmer now: kept
    monkeypatch.setattr(machine, "other_load", lambda: 0.1)
    assert load_or_measure("cpu") == replace(with_rates(100.0, 9.0), load=0.1)
    assert load_or_measure("cpu").load == 0.1


def test_better_of_different_entries_keeps_all() -> None:
    old = Ceilings({"float32": 1.0, "float16": 5.0}, ((1, 9.0), (4, 3.0)), "old", 2)
    new = Ceilings({"float32": 2.0}, ((1, 8.0), (2, 7.0)), "new", 2)
    assert best_of(old, new) == Ceilings({"float32": 2.0, "float16": 5.0}, ((1, 9.0), (2, 7.0), (4, 3.0)), "new", 2)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"flops": {}, "bandwidth": [], "measured_at": "", "threads": 2}',
        '{"flops": {"float32": 0}, "bandwidth": [[1, 1.0]], "measured_at": "", "threads": 2}',
        '{"flops": {"float32": 1e9}, "bandwidth": [[1, NaN]], "measured_at": "", "threads": 2}',
        '{"flops": {"float32": "fast"}, "bandwidth": [[1, 1.0]], "measured_at": "", "threads": 2}',
        '{"flops": {"float32": 1e9}, "bandwidth": [[1]], "measured_at": "", "threads": 2}',
        "\udcff",
    ],
)
def test_a_broken_file_is_measured_again(scripted: list[Ceilings], broken: str) -> None:
    file = cache.path("cpu")
    file.parent.mkdir()
    file.write_bytes(broken.encode("utf-8", "surrogateescape"))
    scripted.append(GOOD)
    assert load_or_measure("cpu") == GOOD
    assert cache.load(file) == GOOD


def test_a_folder_that_cannot_be_written_is_no_error(
    scripted: list[Ceilings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("")
    scripted += [GOOD, GOOD]
    assert load_or_measure("cpu") == GOOD
    assert load_or_measure("cpu") == GOOD
    assert usercache.problem() == f"{tmp_path}/file/tbench cannot be written (Not a directory)"


def test_nothing_is_left_beside_the_file(scripted: list[Ceilings], own_cache_folder: Path) -> None:
    scripted += [GOOD, GOOD]
    load_or_measure("cpu")
    load_or_measure("cpu", "raise")
    assert usercache.problem() is None
    assert len(list(own_cache_folder.iterdir())) == 1


def test_every_device_thread_count_and_version_has_its_own_file(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {cache.path("cpu")}
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    seen.add(cache.path("cpu"))
    monkeypatch.setattr(torch, "__version__", "9.9")
    seen.add(cache.path("cpu"))
    monkeypatch.setattr(cache.machine, "cpu_model", lambda: "Another")
    seen.add(cache.path("cpu"))

    def properties(device: str) -> Any:
        return type("Properties", (), {"name": "GPU", "uuid": f"uuid of {device}"})

    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    seen |= {cache.path("cuda:0"), cache.path("cuda:1")}
    assert len(seen) == 6


def test_the_cache_is_in_the_users_home_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert usercache.folder() == tmp_path / ".cache/tbench"
