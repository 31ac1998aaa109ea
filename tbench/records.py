"""The records that pass between the floors: what is measured, what came out, and where.

Frozen, plain data, JSON in and out; nothing of the project is imported here. Seconds are seconds, bytes are
bytes, FLOP/s are FLOP/s: units are converted only where something is printed. `None` is "could not be had";
it is never replaced by 0.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

Value = int | float | bool | str
Status = Literal["ok", "unsupported", "oom", "timeout", "wrong", "error"]
Clock = Literal["", "eager", "ahead", "graph"]  # see `Turn`
Again = Literal["", "raise", "replace"]  # whether kept ceilings are measured again: no, keep the better, forget them
STATUSES: tuple[Status, ...] = get_args(Status)
EXCLUSIVE_PROCESS = "exclusive process"  # a GPU's compute mode
LARGEST = 1e300  # what is beyond is no figure of anything
HALVES = frozenset({"bfloat16", "float16"})
FAILED: frozenset[Status] = frozenset({"timeout", "wrong", "error"})  # exit code 4; the rest are results


@dataclass(frozen=True)
class Case:
    """One thing to measure: a component's variant at one point of the sweep.

    `axes` holds every axis of the component with its value, in the component's order; structured values
    (patterns) are kept as their canonical text, so that a case is hashable and its identity stable.
    """

    component: str
    phase: str
    device: str
    dtype: str
    axes: tuple[tuple[str, Value], ...]

    @cached_property
    def id(self) -> str:
        """The stable text identity: `attention/forward device=cpu dtype=float32 batch=1 … kernel=flash`."""
        words = [f"{name}={text(value)}" for name, value in self.items()]
        return f"{self.component}/{self.phase} {' '.join(words)}"

    def items(self) -> tuple[tuple[str, Value], ...]:
        """Device, dtype and the axes, in the order of the identity."""
        return (("device", self.device), ("dtype", self.dtype), *self.axes)

    @cached_property
    def _values(self) -> Mapping[str, Value]:
        """By name; claims ask for some of them a hundred times for each case."""
        own = {"component": self.component, "phase": self.phase, "device": self.device, "dtype": self.dtype}
        return {**own, **dict(self.axes)}

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    @property
    def arithmetic(self) -> str:
        """What products are computed in: the dtype, or `tf32` for float32 matrices on tensor cores."""
        return "tf32" if self.get("fp32_precision") == "tf32" else self.dtype

    def get(self, name: str, default: Value | None = None) -> Value | None:
        return self._values.get(name, default)

    def integer(self, name: str) -> int:
        """The value of an integer axis (raises TypeError if it is not one)."""
        value = self[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name}={value!r} is not an integer axis")
        return value

    def with_(self, **values: Value) -> Case:
        """The same case with some of phase, device, dtype or axes replaced."""
        own: dict[str, Any] = {k: values.pop(k) for k in ("phase", "device", "dtype") if k in values}
        unknown = set(values) - {name for name, _ in self.axes}
        if unknown:
            raise KeyError(f"no such axis: {', '.join(sorted(unknown))}")
        return dataclasses.replace(self, axes=tuple((k, values.get(k, v)) for k, v in self.axes), **own)

    def to_dict(self) -> dict[str, Any]:
        return {
            "component": self.component,
            "phase": self.phase,
            "device": self.device,
            "dtype": self.dtype,
            "axes": dict(self.axes),
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Case:
        """Raises KeyError, TypeError and AttributeError for what is no case."""
        case = Case(data["component"], data["phase"], data["device"], data["dtype"], tuple(data["axes"].items()))
        for name, value in case._values.items():
            if not isinstance(value, (str, int, float)):
                raise TypeError(f"{name} is neither a text nor a number")
        return case


def numbers(record: Any, *names: str) -> None:
    """Raises TypeError unless each of these entries is a finite number, or None: a record may be from a file."""
    for name in names:
        value = getattr(record, name)
        if value is not None and not number(value):
            raise TypeError(f"{name} is not a number")


def number(value: Any) -> bool:
    """Whether something is a number that can be reckoned with."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST


def text(value: Value) -> str:
    """A value as it stands in an identity, on the command line and in a table: `true`, `1024`, `window:256`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Turn:
    """One visit to a case inside a round: samples taken back to back in one process.

    Shapes: one entry of `seconds` per sample, each the mean over `calls` calls. `host_seconds` is the time the
    host needed to submit those calls, on devices that run asynchronously (empty on a CPU). `faults`: minor page faults
    per call, the mean over the samples (CPU; None where they were not counted).

    `clock`, on such devices: `ahead`, all calls submitted before the device began, so that `seconds` are the device's
    alone; `graph`, a replayed CUDA graph, submitted ahead; `eager`, with the host in it, as a Python program sees them
    (and every recorded turn without a clock). `why`: why it is not the clock that was asked for. `eager_seconds`: one
    sample by the eager clock. `sm_mhz`: the clock of the multiprocessors, seen on the device itself.
    """

    round: int
    turn: int
    calls: int
    seconds: tuple[float, ...]
    host_seconds: tuple[float, ...] = ()
    telemetry: Mapping[str, Any] = field(default_factory=dict)
    faults: float | None = None
    clock: Clock = ""
    why: str = ""
    eager_seconds: float | None = None
    sm_mhz: float | None = None

    @property
    def host_excluded(self) -> bool:
        return self.clock in ("ahead", "graph")

    def __post_init__(self) -> None:
        if not self.seconds or not (min(self.seconds) > 0 and math.isfinite(sum(self.seconds))):
            raise ValueError("a turn has samples, and each is a positive time")
        if not (isinstance(self.round, int) and isinstance(self.turn, int) and isinstance(self.calls, int)):
            raise TypeError("round, turn and calls are whole numbers")
        if not (isinstance(self.telemetry, Mapping) and isinstance(self.clock, str) and isinstance(self.why, str)):
            raise TypeError("telemetry is a mapping, clock and why are texts")
        if self.host_seconds and not all(map(number, self.host_seconds)):
            raise TypeError("host_seconds are numbers")
        numbers(self, "faults", "eager_seconds", "sm_mhz")

    @cached_property
    def log_median(self) -> float:
        """Logarithm of the median of `seconds`, kept: a report asks for it several times."""
        return math.log(statistics.median(self.seconds))


@dataclass(frozen=True)
class Work:
    """What a case must do at least, whatever the variant, by formula.

    `flops`: floating point operations the pattern requires (masked pairs do not count). `bytes`: fewest bytes
    between memory and processor (each input read once, each output written once). `kv_cache_bytes`: size of
    the KV cache a decode step reads, else None.
    """

    flops: float
    bytes: float
    kv_cache_bytes: int | None = None

    def __post_init__(self) -> None:
        numbers(self, "flops", "bytes", "kv_cache_bytes")
        if not (number(self.flops) and number(self.bytes)):
            raise TypeError("work has FLOPs and bytes")


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of one call, measured in a pass of its own.

    `peak_bytes`: everything the case holds at the peak: inputs, KV cache, outputs and workspace, as counted by
    the allocator. `resident_bytes`: what it holds before the call. `predicted_bytes`: the analytic model of
    `peak_bytes`. The rest is None where it does not exist; `unavailable` says why, by name.
    """

    peak_bytes: int | None
    resident_bytes: int | None = None
    predicted_bytes: int | None = None
    reserved_bytes: int | None = None  # CUDA caching allocator, what it took from the driver
    process_peak_bytes: int | None = None  # CPU: VmHWM; CUDA: NVML, this process
    device_used_bytes: int | None = None  # NVML, whole device
    graph_bytes: int | None = None  # CUDA: what the captured graph holds beside the peak
    unavailable: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers(self, *MEMORY_BYTES)


MEMORY_BYTES = tuple(one.name for one in dataclasses.fields(Memory) if one.name != "unavailable")


@dataclass(frozen=True)
class Energy:
    """What a call takes of a GPU's energy, from a pass of its own; None with the reason where it cannot be had."""

    joules: float | None = None  # per call
    watts: float | None = None  # mean over the pass
    unavailable: str = ""

    def __post_init__(self) -> None:
        numbers(self, "joules", "watts")


@dataclass(frozen=True)
class Measurement:
    """What became of one case. A figure can only stand beside the status that allows it.

    `status` ok: correct before and after timing, with at least one turn; or an experiment, which is not timed, with
    its `findings` (by name: numbers, texts, lists of them). Otherwise `reason` says why; turns
    taken before a failure are kept (nothing measured is lost) but no latency is derived from them.
    `error` is the relative error against the float64 oracle, `error_limit` what this dtype allows.
    `stopped`: why sampling ended: `target` (precision reached), `decision` (the comparison with the baseline stands),
    `max_time`, `setup` (its own budget, on a GPU), `max_rounds` or `interrupted`; `target` is the relative half-width
    that was asked for.
    `costs`: seconds spent beside samples, by name (setup, first_call, check, warmup, memory, overhead), all rounds.
    `host`, `device_name`: where it was measured, in a run on a cluster; empty where the run has one machine.
    """

    case: Case
    status: Status
    reason: str = ""
    notes: tuple[str, ...] = ()
    ran: str = ""
    baseline: str | None = None
    turns: tuple[Turn, ...] = ()
    stopped: str = ""
    target: float | None = None
    error: float | None = None
    error_limit: float | None = None
    memory: Memory | None = None
    energy: Energy | None = None  # on a GPU
    work: Work | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    findings: Mapping[str, Any] = field(default_factory=dict)
    host: str = ""
    device_name: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"unknown status {self.status!r}")
        numbers(self, "target", "error_limit")
        if type(self.error) is not float:  # which may be NaN, or infinite
            numbers(self, "error")
        baseline = () if self.baseline is None else (self.baseline,)
        texts = (self.reason, self.ran, self.stopped, self.host, self.device_name, *self.notes, *baseline)
        if not all(isinstance(one, str) for one in texts):
            raise TypeError("notes and reasons are texts")
        if not (isinstance(self.findings, Mapping) and isinstance(self.costs, Mapping)):
            raise TypeError("costs and findings are mappings")
        if self.status == "ok" and self.findings:
            if self.turns:
                raise ValueError(f"{self.case.id}: an experiment is not timed, but has samples")
        elif self.status == "ok":
            if not self.turns:
                raise ValueError(f"{self.case.id}: ok without a sample")
            if self.error is None or not math.isfinite(self.error):
                raise ValueError(f"{self.case.id}: ok without a finite error against the reference")
        elif not self.reason:
            raise ValueError(f"{self.case.id}: {self.status} without a reason")

    @property
    def machine(self) -> str:
        """Host and device, as run.json names the machines of a cluster; empty in a run on one machine."""
        return f"{self.host} {self.device_name}".strip()

    def to_dict(self) -> dict[str, Any]:
        data = dataclasses.asdict(self)
        data["case"] = self.case.to_dict()
        data["id"] = self.case.id
        if not self.host:
            del data["host"], data["device_name"]
        return data

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Measurement:
        data = {name: value for name, value in data.items() if name != "id"}
        data["case"] = Case.from_dict(data["case"])
        data["turns"] = tuple(
            Turn(**(turn | {"seconds": tuple(turn["seconds"]), "host_seconds": tuple(turn["host_seconds"])}))
            for turn in data["turns"]
        )
        data["notes"] = tuple(data["notes"])
        for name, record in (("memory", Memory), ("energy", Energy), ("work", Work)):
            data[name] = record(**given) if (given := data.get(name)) is not None else None
        return Measurement(**data)


@dataclass(frozen=True)
class Ceilings:
    """What this machine can do at best, measured here: the denominators of `limit_fraction`.

    `flops`: FLOP/s of the best matrix product by dtype. `bandwidth`: pairs (working set in bytes, bytes per
    second read), ascending; small working sets stay in a cache and are faster. `load`: cores that other processes used
    meanwhile; with some, ceilings come out too low. `page_fault_seconds`: what the first touch of a fresh page of
    memory costs (CPU; None where it was not measured).
    """

    flops: Mapping[str, float]
    bandwidth: tuple[tuple[int, float], ...]
    measured_at: str
    threads: int
    load: float = 0.0
    page_fault_seconds: float | None = None

    def bytes_per_second(self, working_set: float) -> float:
        """Fastest rate measured at any working set from the next smaller one up: part of it may be in that cache."""
        smaller = [size for size, _ in self.bandwidth if size <= working_set]
        least = smaller[-1] if smaller else 0
        return max(rate for size, rate in self.bandwidth if size >= least)

    def peak(self, dtype: str) -> float | None:
        """FLOP/s of the best way to a result in `dtype`; for halves computing in float32 is one. None: not measured."""
        own = self.flops.get(dtype)
        if own is None or dtype not in HALVES:
            return own
        return max(own, self.flops.get("float32", 0.0))

    def from_memory(self) -> float:
        """Bytes per second at the largest working set measured, which no cache holds."""
        return self.bandwidth[-1][1]

    def seconds(self, work: Work, dtype: str, cold: bool = False) -> float | None:
        """The shortest time `work` could take here, `cold` with its bytes from memory; None for a dtype without a
        measured ceiling."""
        peak = self.peak(dtype)
        if peak is None:
            return None
        rate = self.from_memory() if cold else self.bytes_per_second(work.bytes)
        return max(work.flops / peak, work.bytes / rate)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Ceilings:
        pairs = tuple((int(size), float(rate)) for size, rate in data["bandwidth"])
        load = float(data.get("load", 0.0))
        fault = data.get("page_fault_seconds")
        return Ceilings(dict(data["flops"]), pairs, data["measured_at"], int(data["threads"]), load, fault)


@dataclass(frozen=True)
class Environment:
    """The machine and software a run was made on; enough to say whether two runs may be compared."""

    device: str  # cpu, cuda:0
    device_name: str  # the processor's or the GPU's marketing name
    python: str
    torch: str
    platform: str
    cpu: str
    cores: int
    threads: int
    memory_bytes: int
    last_level_cache_bytes: int | None = None
    device_uuid: str | None = None
    device_memory_bytes: int | None = None
    driver: str | None = None
    cuda: str | None = None
    cudnn: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)  # that change what a GPU computes or how fast
    visible_gpus: tuple[str, ...] = ()  # names of all, by index
    compute_mode: str | None = None  # of the GPU: how many processes may use it at once
    packages: Mapping[str, str] = field(default_factory=dict)  # optional kernels and their versions
    load: float | None = None  # other processes' share of the cores just before the run, in cores
    allocator: str | None = None  # what serves the workers' memory on a CPU: glibc 2.36, jemalloc (preloaded) …
    warnings: tuple[str, ...] = ()  # each names a remedy
    unavailable: Mapping[str, str] = field(default_factory=dict)
    ceilings: Ceilings | None = None

    @property
    def exclusive(self) -> bool:
        """Whether one process at a time may use the GPU."""
        return self.compute_mode == EXCLUSIVE_PROCESS

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Environment:
        data = dict(data)
        data["ceilings"] = data.get("ceilings") and Ceilings.from_dict(data["ceilings"])
        data["warnings"] = tuple(data.get("warnings", ()))
        data["visible_gpus"] = tuple(data.get("visible_gpus", ()))
        return Environment(**data)


@dataclass(frozen=True)
class Sampling:
    """When to stop measuring a case, and in which state its memory is.

    `target`: half-width of the 95% interval of the median, relative. `min_time`, `max_time`: seconds of samples
    per case. `min_rounds`, `max_rounds`: fresh processes per case. `warmup`: seconds before each round's
    samples. `turns`: visits per round. `turn_time`: seconds of samples per turn. `timeout`: seconds any single
    step (set-up, one call) may take.

    `cache`: `hot`; `cold`, where a call finds none of its inputs in the last-level cache; `auto` is cold in decode,
    where every layer of a model has a KV cache of its own, and hot elsewhere. `allocator`, on a CPU: `kept` holds on to
    freed memory, as a GPU's caching allocator does; `default` is the C library as it comes, which gives large blocks
    back to the system and has them zeroed page by page at the next call.

    On a GPU, `launch` is how calls are submitted: `ahead` of the device, so that its time alone is measured; `eager`,
    as a Python program does, whose host is then in the time; `graph`, captured once and replayed. `fp32_precision`:
    what products of float32 matrices compute in, in PyTorch's words.
    """

    target: float = 0.02
    min_time: float = 0.2
    max_time: float = 3.0
    min_rounds: int = 5
    max_rounds: int = 12
    warmup: float = 0.02
    turns: int = 2
    turn_time: float = 0.1
    timeout: float = 120.0
    cache: Literal["auto", "hot", "cold"] = "auto"
    allocator: Literal["kept", "default"] = "kept"
    launch: Literal["ahead", "eager", "graph"] = "ahead"
    fp32_precision: Literal["ieee", "tf32"] = "ieee"

    def conditions(self) -> tuple[tuple[str, Value], ...]:
        """What of a measurement's conditions is not as usual, as axes: it belongs to the identity of a case."""
        axes = (
            ("cache_state", self.cache, "auto"),
            ("allocator", self.allocator, "kept"),
            ("launch", self.launch, "ahead"),
            ("fp32_precision", self.fp32_precision, "ieee"),
        )
        return tuple((name, value) for name, value, usual in axes if value != usual)

    def cold(self, phase: str) -> bool:
        """Whether a case of this phase is measured with cold inputs."""
        return self.cache == "cold" or (self.cache == "auto" and phase == "decode")


@dataclass(frozen=True)
class Injection:
    """What is injected into a case on purpose, to see whether it is found. Real work and real memory.

    `repeats`: small operations done beside every call. `bytes`: a tensor of this size held during it.
    """

    repeats: int = 0
    bytes: int = 0
