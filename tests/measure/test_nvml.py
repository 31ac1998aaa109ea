"""NVML, asked through pynvml of a fake library compiled here: figures, and the reason where one is refused."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.measure.nvml import CLOCK_REASONS, FIGURES, Refused, decode, driver_version
from tbench.measure.telemetry import Telemetry

pynvml = pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
UUID = "11111111-2222-3333-4444-555555555555"
SLICE = "99999999-2222-3333-4444-555555555555"
NOT_SUPPORTED, NO_PERMISSION, FUNCTION_NOT_FOUND, OPERATING_SYSTEM = 3, 4, 13, 17

compiled = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler for the fake of libnvidia-ml")


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ctypes.CDLL]:
    def compile_with(*options: str) -> ctypes.CDLL:
        assert COMPILER is not None
        library = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so"
        source = Path(__file__).parent / "fake_nvml.c"
        subprocess.run([COMPILER, "-shared", "-fPIC", *options, str(source), "-o", str(library)], check=True)
        return ctypes.CDLL(str(library))

    return compile_with


@pytest.fixture(scope="session")
def libraries(build: Callable[..., ctypes.CDLL]) -> dict[str, ctypes.CDLL]:
    return {"new": build(), "old": build("-DOLD_DRIVER")}


def use(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    library.fake_reasons.argtypes = [ctypes.c_ulonglong]
    library.fake_capped.argtypes = [ctypes.c_uint, ctypes.c_ulonglong]
    library.fake_reset()
    monkeypatch.setattr(pynvml, "nvmlLib", library)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    return library


@pytest.fixture
def nvml(libraries: dict[str, ctypes.CDLL], monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    return use(libraries["new"], monkeypatch)


@pytest.fixture
def old_driver(libraries: dict[str, ctypes.CDLL], monkeypatch: pytest.MonkeyPatch) -> ctypes.CDLL:
    return use(libraries["old"], monkeypatch)


@compiled
def test_every_figure_in_the_unit_of_its_name(nvml: ctypes.CDLL) -> None:
    nvml.fake_process(os.getpid(), 500)
    nvml.fake_reasons(0x4 | 0x1)
    nvml.fake_persistence(1)
    nvml.fake_compute_mode(3)
    nvml.fake_capped(0, 1_500_000_000)
    nvml.fake_capped(1, 250_000_000)
    seen = Telemetry(UUID).snapshot()
    assert seen.pop("time") > 0
    assert seen == {
        "unavailable": {},
        "sm_clock_mhz": 1755,
        "sm_clock_highest_mhz": 1980,
        "memory_clock_mhz": 2619,
        "memory_clock_highest_mhz": 2620,
        "clock_reasons": ["idle", "software power cap"],
        "power_watts": 350.5,
        "power_instant_watts": 401.25,
        "power_limit_watts": 700.0,
        "energy_joules": 5000000000.123,
        "temperature_c": 62,
        "memory_total_bytes": 80 << 30,
        "memory_used_bytes": 11 << 30,
        "memory_used_v2_bytes": 10 << 30,
        "memory_reserved_bytes": 1 << 30,
        "process_bytes": 500 << 20,
        "other_processes": 0,
        "persistence_mode": True,
        "compute_mode": "exclusive process",
        "power_capped_seconds": 1.5,
        "thermally_capped_seconds": 0.25,
        "utilisation_percent": 97,
        "memory_utilisation_percent": 42,
    }
    assert driver_version() == "570.86.10"


FUNCTIONS = {
    "sm_clock_mhz": "nvmlDeviceGetClockInfo",
    "sm_clock_highest_mhz": "nvmlDeviceGetMaxClockInfo",
    "memory_clock_mhz": "nvmlDeviceGetClockInfo",
    "memory_clock_highest_mhz": "nvmlDeviceGetMaxClockInfo",
    "clock_reasons": "nvmlDeviceGetCurrentClocksEventReasons",
    "power_watts": "nvmlDeviceGetPowerUsage",
    "power_instant_watts": "nvmlDeviceGetFieldValues",
    "power_limit_watts": "nvmlDeviceGetEnforcedPowerLimit",
    "energy_joules": "nvmlDeviceGetTotalEnergyConsumption",
    "temperature_c": "nvmlDeviceGetTemperatureV",
    "memory_total_bytes": "nvmlDeviceGetMemoryInfo",
    "memory_used_bytes": "nvmlDeviceGetMemoryInfo",
    "memory_used_v2_bytes": "nvmlDeviceGetMemoryInfo_v2",
    "memory_reserved_bytes": "nvmlDeviceGetMemoryInfo_v2",
    "process_bytes": "nvmlDeviceGetComputeRunningProcesses_v3",
    "other_processes": "nvmlDeviceGetComputeRunningProcesses_v3",
    "persistence_mode": "nvmlDeviceGetPersistenceMode",
    "compute_mode": "nvmlDeviceGetComputeMode",
    "power_capped_seconds": "nvmlDeviceGetViolationStatus",
    "thermally_capped_seconds": "nvmlDeviceGetViolationStatus",
    "utilisation_percent": "nvmlDeviceGetUtilizationRates",
    "memory_utilisation_percent": "nvmlDeviceGetUtilizationRates",
}


def test_every_figure_has_a_function_to_refuse() -> None:
    assert FUNCTIONS.keys() == FIGURES.keys()


@compiled
@pytest.mark.parametrize(
    ("code", "reason"),
    [(NOT_SUPPORTED, "NotSupported"), (NO_PERMISSION, "NoPermission"), (OPERATING_SYSTEM, "OperatingSystem")],
)
@pytest.mark.parametrize("figure", FIGURES)
def test_a_refused_figure_is_missing_with_its_reason_and_the_rest_is_there(
    nvml: ctypes.CDLL, figure: str, code: int, reason: str
) -> None:
    nvml.fake_process(os.getpid(), 500)
    nvml.fake_refuse(FUNCTIONS[figure].encode(), code)
    seen = Telemetry(UUID).snapshot()
    alike = {name for name, function in FUNCTIONS.items() if function == FUNCTIONS[figure]}
    assert figure not in seen
    assert seen["unavailable"].keys() == alike
    assert reason in seen["unavailable"][figure]
    assert seen.keys() == {"time", "unavailable", *FIGURES} - alike


@compiled
def test_a_function_the_driver_does_not_know_yet_is_asked_by_its_old_name(old_driver: ctypes.CDLL) -> None:
    old_driver.fake_reasons(0x40)
    seen = Telemetry(UUID).snapshot(("temperature_c", "clock_reasons"))
    assert seen["temperature_c"] == 61
    assert seen["clock_reasons"] == ["hardware thermal slowdown"]
    assert seen["unavailable"] == {}


@compiled
def test_what_an_old_driver_cannot_answer_says_so(old_driver: ctypes.CDLL) -> None:
    seen = Telemetry(UUID).snapshot(("memory_used_bytes", "memory_used_v2_bytes"))
    assert seen["memory_used_bytes"] == 11 << 30
    assert seen["unavailable"].keys() == {"memory_used_v2_bytes"}
    assert "FunctionNotFound" in seen["unavailable"]["memory_used_v2_bytes"]


@compiled
def test_both_names_refused_is_a_refusal(old_driver: ctypes.CDLL) -> None:
    old_driver.fake_refuse(b"nvmlDeviceGetTemperature", FUNCTION_NOT_FOUND)
    old_driver.fake_refuse(b"nvmlDeviceGetCurrentClocksThrottleReasons", NO_PERMISSION)
    refused = Telemetry(UUID).snapshot(("temperature_c", "clock_reasons"))["unavailable"]
    assert "FunctionNotFound" in refused["temperature_c"]
    assert "NoPermission" in refused["clock_reasons"]


@compiled
def test_a_single_field_may_be_refused(nvml: ctypes.CDLL) -> None:
    nvml.fake_refuse(b"field 186", NOT_SUPPORTED)
    seen = Telemetry(UUID).snapshot(("power_watts", "power_instant_watts"))
    assert seen["power_watts"] == 350.5
    assert "NotSupported" in seen["unavailable"]["power_instant_watts"]


# ---------------------------------------------------------------------- which GPU


@compiled
@pytest.mark.parametrize("uuid", [UUID, f"GPU-{UUID}"])
def test_a_gpu_is_found_by_uuid_however_it_is_written(nvml: ctypes.CDLL, uuid: str) -> None:
    telemetry = Telemetry(uuid)
    assert telemetry.ask("temperature_c") == 62
    assert not telemetry.mig
    assert "mig" not in telemetry.snapshot(())


@compiled
def test_a_gpu_nvml_does_not_know(nvml: ctypes.CDLL) -> None:
    telemetry = Telemetry("00000000-0000-0000-0000-000000000000")
    seen = telemetry.snapshot()
    assert seen["unavailable"].keys() == FIGURES.keys()
    assert set(seen["unavailable"].values()) == {"NVML finds no GPU with UUID 00000000-0000-0000-0000-000000000000"}
    with pytest.raises(Refused, match="finds no GPU"):
        telemetry.ask("power_watts")


@compiled
def test_a_gpu_that_may_not_be_opened(nvml: ctypes.CDLL) -> None:
    nvml.fake_refuse(b"nvmlDeviceGetHandleByUUID", NO_PERMISSION)
    assert "NoPermission" in Telemetry(UUID).snapshot(("power_watts",))["unavailable"]["power_watts"]


@compiled
def test_a_slice_has_the_figures_of_its_gpu_and_a_flag(nvml: ctypes.CDLL) -> None:
    seen = Telemetry(SLICE).snapshot(("memory_total_bytes",))
    assert seen["mig"] is True
    assert seen["memory_total_bytes"] == 80 << 30


@compiled
def test_a_gpu_in_mig_mode_has_the_flag(nvml: ctypes.CDLL) -> None:
    nvml.fake_mig(1)
    assert Telemetry(UUID).mig
    nvml.fake_refuse(b"nvmlDeviceGetMigMode", NOT_SUPPORTED)
    assert not Telemetry(UUID).mig


@compiled
def test_a_driver_that_is_not_loaded(nvml: ctypes.CDLL) -> None:
    nvml.fake_refuse(b"nvmlInitWithFlags", 9)
    seen = Telemetry(UUID).snapshot(("power_watts",))
    assert seen["unavailable"] == {"power_watts": "the NVIDIA driver is not loaded (DriverNotLoaded)"}
    with pytest.raises(Refused, match="DriverNotLoaded"):
        driver_version()


def test_a_machine_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> ctypes.CDLL:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    monkeypatch.setattr(pynvml, "CDLL", missing)
    reason = Telemetry(UUID).snapshot(("power_watts",))["unavailable"]["power_watts"]
    assert "libnvidia-ml.so.1 was not found" in reason


def test_a_machine_without_pynvml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    reason = Telemetry(UUID).snapshot(("power_watts",))["unavailable"]["power_watts"]
    assert reason == "pynvml is not installed: pip install nvidia-ml-py"
    with pytest.raises(Refused, match="pip install nvidia-ml-py"):
        driver_version()


# ---------------------------------------------------------------------- processes


@compiled
def test_the_memory_of_this_process_among_others(nvml: ctypes.CDLL) -> None:
    nvml.fake_process(1, 9000)
    nvml.fake_process(os.getpid(), 123)
    seen = Telemetry(UUID).snapshot(("process_bytes", "other_processes"))
    assert seen["process_bytes"] == 123 << 20
    assert seen["other_processes"] == 1


@compiled
def test_processes_that_are_numbered_otherwise_tell_nothing(nvml: ctypes.CDLL) -> None:
    nvml.fake_process(1, 9000)
    refused = Telemetry(UUID).snapshot(("process_bytes", "other_processes"))["unavailable"]
    assert refused.keys() == {"process_bytes", "other_processes"}
    assert all("inside a container" in reason for reason in refused.values())


@compiled
def test_a_process_whose_memory_is_not_told(nvml: ctypes.CDLL) -> None:
    nvml.fake_process(os.getpid(), 0xFFFFFFFF)
    assert "does not report" in Telemetry(UUID).snapshot(("process_bytes",))["unavailable"]["process_bytes"]


@compiled
def test_a_gpu_nobody_uses_has_no_other_processes(nvml: ctypes.CDLL) -> None:
    assert Telemetry(UUID).ask("other_processes") == 0


# ---------------------------------------------------------------------- the mask of clock reasons


@given(st.integers(0, 2**12 - 1))
def test_every_bit_of_a_mask_has_a_word(bits: int) -> None:
    words = decode(bits)
    known = [bit for bit in CLOCK_REASONS if bits & bit]
    assert words[: len(known)] == [CLOCK_REASONS[bit] for bit in known]
    unknown = bits & ~0x1FF
    assert words[len(known) :] == ([f"unknown ({unknown:#x})"] if unknown else [])
