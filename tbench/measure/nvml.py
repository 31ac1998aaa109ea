"""What NVIDIA's management library tells of a GPU: clocks, throttling, power, energy, temperature, memory.

Every figure is a question of its own in `FIGURES`; one that is refused raises `Refused` with the reason. Nothing is
ever set: clocks, limits and modes of a device are left alone. Imports no torch.

Source of names and units: NVML API reference, https://docs.nvidia.com/deploy/nvml-api/
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tbench.records import EXCLUSIVE_PROCESS

# Bits of nvmlDeviceGetCurrentClocksEventReasons (nvml.h, nvmlClocksEventReasons), in words.
CLOCK_REASONS = {
    0x1: "idle",
    0x2: "clocks set by an application",
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x10: "synchronised boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
    0x100: "display clock",
}
THROTTLING = {CLOCK_REASONS[bit] for bit in (0x4, 0x8, 0x20, 0x40, 0x80)}  # slower than the GPU would be left alone

COMPUTE_MODES = {0: "default", 1: "exclusive thread", 2: "prohibited", 3: EXCLUSIVE_PROCESS}  # nvmlComputeMode_t

EXPLANATIONS = {
    "NotSupported": "not reported by this GPU or driver (NotSupported)",
    "NoPermission": "this process has no permission to query it (NoPermission)",
    "FunctionNotFound": "the driver is too old for this query (FunctionNotFound): update it",
    "LibraryNotFound": "libnvidia-ml.so.1 was not found (LibraryNotFound): install the NVIDIA driver",
    "DriverNotLoaded": "the NVIDIA driver is not loaded (DriverNotLoaded)",
    "GpuIsLost": "the GPU has fallen off the bus (GpuIsLost): reboot the machine",
}


class Refused(Exception):
    """A figure cannot be had; the message is the reason."""


def decode(reasons: int) -> list[str]:
    """The words for the bits of a clock event mask; unknown bits in hexadecimal."""
    words = [word for bit, word in CLOCK_REASONS.items() if reasons & bit]
    unknown = reasons & ~sum(CLOCK_REASONS)
    return [*words, f"unknown ({unknown:#x})"] if unknown else words


def started() -> Any:
    """pynvml with the library loaded and initialised; raises Refused."""
    try:
        import pynvml
    except ImportError:
        raise Refused("pynvml is not installed: pip install nvidia-ml-py") from None
    asked(pynvml.nvmlInit)
    return pynvml


def driver_version() -> str:
    """Version of the NVIDIA driver; raises Refused."""
    return str(asked(started().nvmlSystemGetDriverVersion))


def find(uuid: str) -> tuple[Any, bool]:
    """The handle of a GPU and whether it is cut into slices (MIG); raises Refused.

    `uuid` as CUDA gives it, with or without `GPU-`. A slice's UUID finds the GPU it is a part of.
    """
    pynvml = started()
    bare = uuid.removeprefix("GPU-").removeprefix("MIG-")
    try:
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{bare}")
    except (pynvml.NVMLError_NotFound, pynvml.NVMLError_InvalidArgument):
        try:
            part = pynvml.nvmlDeviceGetHandleByUUID(f"MIG-{bare}")
        except pynvml.NVMLError:
            raise Refused(f"NVML finds no GPU with UUID {bare}") from None
        return asked(lambda: pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(part)), True
    except pynvml.NVMLError as error:
        raise Refused(explain(error)) from None
    return handle, quietly(lambda: pynvml.nvmlDeviceGetMigMode(handle)[0] == 1)


def asked(question: Callable[[], Any]) -> Any:
    """The answer to one question to NVML; raises Refused with the reason in words."""
    import pynvml

    try:
        return question()
    except pynvml.NVMLError as error:
        raise Refused(explain(error)) from None


def quietly(question: Callable[[], bool]) -> bool:
    """A yes or no where a refusal means no."""
    try:
        return bool(asked(question))
    except Refused:
        return False


def explain(error: Exception) -> str:
    name = type(error).__name__.removeprefix("NVMLError_")
    return EXPLANATIONS.get(name, f"{error} ({name})")


# ---------------------------------------------------------------------- the figures, by name


def clock(kind: str) -> Callable[[Any], Any]:
    def ask(handle: Any) -> Any:
        import pynvml

        return pynvml.nvmlDeviceGetClockInfo(handle, getattr(pynvml, f"NVML_CLOCK_{kind}"))

    return ask


def highest_clock(kind: str) -> Callable[[Any], Any]:
    def ask(handle: Any) -> Any:
        import pynvml

        return pynvml.nvmlDeviceGetMaxClockInfo(handle, getattr(pynvml, f"NVML_CLOCK_{kind}"))

    return ask


def clock_reasons(handle: Any) -> list[str]:
    import pynvml

    try:
        return decode(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
    except pynvml.NVMLError_FunctionNotFound:  # its name before driver 535
        return decode(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))


def milli(name: str) -> Callable[[Any], float]:
    """A figure NVML gives in thousandths."""

    def ask(handle: Any) -> float:
        import pynvml

        return float(getattr(pynvml, name)(handle)) / 1000

    return ask


def instant_power(handle: Any) -> float:
    import pynvml

    (field,) = pynvml.nvmlDeviceGetFieldValues(handle, [pynvml.NVML_FI_DEV_POWER_INSTANT])
    if field.nvmlReturn != pynvml.NVML_SUCCESS:
        raise pynvml.NVMLError(field.nvmlReturn)
    return float(field.value.uiVal) / 1000


def temperature(handle: Any) -> int:
    import pynvml

    try:
        return int(pynvml.nvmlDeviceGetTemperatureV(handle, pynvml.NVML_TEMPERATURE_GPU))
    except (pynvml.NVMLError_FunctionNotFound, AttributeError):  # an older driver, an older pynvml
        return int(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))


def memory(attribute: str, second: bool = False) -> Callable[[Any], int]:
    """Device memory by version 1 (its `used` includes what the driver reserves) or version 2 of the question."""

    def ask(handle: Any) -> int:
        import pynvml

        info = pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2 if second else None)
        return int(getattr(info, attribute))

    return ask


def process_bytes(handle: Any) -> int:
    import pynvml

    for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle):
        if process.pid == os.getpid():
            if process.usedGpuMemory is None:
                raise Refused("the driver does not report per-process memory here")
            return int(process.usedGpuMemory)
    raise Refused("NVML does not list this process (process IDs differ inside a container)")


def other_processes(handle: Any) -> int:
    import pynvml

    pids = {process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)}
    if pids and os.getpid() not in pids:
        raise Refused("NVML does not list this process (process IDs differ inside a container)")
    return max(0, len(pids) - 1)


def compute_mode(handle: Any) -> str:
    """How many processes may use the GPU at once."""
    import pynvml

    mode = int(pynvml.nvmlDeviceGetComputeMode(handle))
    return COMPUTE_MODES.get(mode, f"unknown ({mode})")


def violation(policy: str) -> Callable[[Any], float]:
    """Seconds for which clocks have been held back by a limit, ever: only differences mean something."""

    def ask(handle: Any) -> float:
        import pynvml

        status = pynvml.nvmlDeviceGetViolationStatus(handle, getattr(pynvml, f"NVML_PERF_POLICY_{policy}"))
        return float(status.violationTime) * 1e-9

    return ask


def persistence(handle: Any) -> bool:
    """Whether the driver stays loaded while nothing uses the GPU."""
    import pynvml

    return bool(pynvml.nvmlDeviceGetPersistenceMode(handle))


def utilisation(attribute: str) -> Callable[[Any], int]:
    def ask(handle: Any) -> int:
        import pynvml

        return int(getattr(pynvml.nvmlDeviceGetUtilizationRates(handle), attribute))

    return ask


FIGURES: dict[str, Callable[[Any], Any]] = {
    "sm_clock_mhz": clock("SM"),
    "sm_clock_highest_mhz": highest_clock("SM"),
    "memory_clock_mhz": clock("MEM"),
    "memory_clock_highest_mhz": highest_clock("MEM"),
    "clock_reasons": clock_reasons,
    "power_watts": milli("nvmlDeviceGetPowerUsage"),
    "power_instant_watts": instant_power,
    "power_limit_watts": milli("nvmlDeviceGetEnforcedPowerLimit"),
    "energy_joules": milli("nvmlDeviceGetTotalEnergyConsumption"),
    "power_capped_seconds": violation("POWER"),
    "thermally_capped_seconds": violation("THERMAL"),
    "temperature_c": temperature,
    "memory_total_bytes": memory("total"),
    "memory_used_bytes": memory("used"),
    "memory_used_v2_bytes": memory("used", second=True),
    "memory_reserved_bytes": memory("reserved", second=True),
    "process_bytes": process_bytes,
    "other_processes": other_processes,
    "persistence_mode": persistence,
    "compute_mode": compute_mode,
    "utilisation_percent": utilisation("gpu"),
    "memory_utilisation_percent": utilisation("memory"),
}
