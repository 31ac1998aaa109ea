"""The operations that tbench and other harnesses time in `agreement.py` and `peers.py`: one call on the same data each.

Most are cases of tbench's own components, so that the way every case takes is what is compared. What no component
offers (a sort, a softmax, an embedding …) is a case of the component `operation`, which is registered by importing this
module, in the parent and, as `LocalExecutor(modules=["operations"])`, in its workers. No torch is imported before an
operation is set up.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tbench.catalog import COMPONENTS, get
from tbench.components.registry import Axis, Component
from tbench.components.workload import Check
from tbench.records import Case, Sampling, Value, Work
from tbench.scenario.axes import resolve

SEED = 1
VOCABULARY = 32_000
ERROR_LIMIT = 1e-5  # float32 against float64
PLAIN = ("sort", "softmax", "silu", "embedding", "cross_entropy")

# glibc's mallopt, <malloc.h>: parameter and value. What is freed is kept, as in tbench's workers.
KEPT = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, -1), "M_TOP_PAD": (-2, 64 * 2**20)}

OPERATION = Component(
    name="operation",
    about="operations of PyTorch that are no part of another component",
    axes=(
        Axis("rows", "int", "rows"),
        Axis("width", "int", "elements of a row"),
        Axis("kernel", "choice", "which operation"),
    ),
    phases=("forward",),
    variant_axis="kernel",
    complete=dict,
    peak=lambda case, variant: 2 * operand_bytes(case),
    work=lambda case: Work(0.0, float(operand_bytes(case))),
    build=lambda case, variant, seed, sets, apart: PlainWorkload(case, seed, sets),
)
for _name in PLAIN:
    OPERATION.variant(_name, about=f"torch's {_name}")(lambda case, name=_name: function(name))
COMPONENTS[OPERATION.name] = OPERATION


@dataclass(frozen=True)
class Named:
    """A case under the short name it has in a table."""

    name: str
    case: Case


@dataclass(frozen=True)
class Shared(Named):
    """An operation for `agreement.py`, with the number of threads it is timed with."""

    threads: int


def case(component: str, phase: str = "forward", device: str = "cpu", dtype: str = "float32", **sizes: Value) -> Case:
    return Case(component, phase, device, dtype, tuple(resolve(get(component), sizes).items()))


def attention(kernel: str, seq_len: int, phase: str = "forward", **more: Any) -> Case:
    sizes = {"batch": 1, "heads": 8, "head_dim": 64, "causal": True, "pattern": "full", **more}
    return case("attention", phase, seq_len=seq_len, kernel=kernel, **sizes)


def layernorm(tokens: int, hidden: int, **more: Any) -> Case:
    return case("norm", batch=1, seq_len=tokens, hidden=hidden, norm="layernorm", kernel="default", **more)


def matmul(size: int, **more: Any) -> Case:
    return case("canary", size=size, kernel="matmul", **more)


def copy(size: int, **more: Any) -> Case:
    return case("canary", size=size, kernel="copy", **more)


def swiglu(tokens: int, hidden: int, **more: Any) -> Case:
    sizes = {"activation": "swiglu", "width": "matched", "kernel": "default", **more}
    return case("feedforward", batch=1, seq_len=tokens, hidden=hidden, **sizes)


def plain(kernel: str, rows: int, width: int) -> Case:
    return case("operation", rows=rows, width=width, kernel=kernel)


def shared_operations() -> list[Shared]:
    """Fifteen, from about 20 µs to 100 ms, of one thread and of two."""
    return [
        Shared("sort 2560", plain("sort", 1, 2560), 1),
        Shared("copy 512²", copy(512), 1),
        Shared("layer_norm 64×1024", layernorm(64, 1024), 1),
        Shared("matmul 192³", matmul(192), 1),
        Shared("flash 256", attention("flash", 256), 1),
        Shared("cross_entropy 256×8192", plain("cross_entropy", 256, 8192), 1),
        Shared("softmax 128×1024", plain("softmax", 128, 1024), 2),
        Shared("silu 512×1024", plain("silu", 512, 1024), 2),
        Shared("layer_norm 2048×1024", layernorm(2048, 1024), 2),
        Shared("embedding 4096×512", plain("embedding", 4096, 512), 2),
        Shared("matmul 1024³", matmul(1024), 2),
        Shared("flash 1024", attention("flash", 1024), 2),
        Shared("naive 1024", attention("naive", 1024), 2),
        Shared("flash 1024, backward too", attention("flash", 1024, "forward_backward"), 2),
        Shared("flash 3072", attention("flash", 3072), 2),
    ]


def peer_cases(device: str) -> list[Named]:
    """Ten that a scenario can name; on a GPU they are larger and in bfloat16, or the host would set the pace."""
    if device == "cpu":
        return [
            Named("matmul 128³", matmul(128)),
            Named("layer_norm 64×1024", layernorm(64, 1024)),
            Named("copy 1024²", copy(1024)),
            Named("layer_norm 2048×1024", layernorm(2048, 1024)),
            Named("flash 256", attention("flash", 256)),
            Named("swiglu 256×512", swiglu(256, 512)),
            Named("matmul 1024³", matmul(1024)),
            Named("flash 1024, backward too", attention("flash", 1024, "forward_backward")),
            Named("naive 1024", attention("naive", 1024)),
            Named("flash 3072", attention("flash", 3072)),
        ]
    on: dict[str, Any] = {"device": device, "dtype": "bfloat16"}
    return [
        Named("matmul 1024³", matmul(1024, **on)),
        Named("layer_norm 2048×1024", layernorm(2048, 1024, **on)),
        Named("copy 4096²", copy(4096, **on)),
        Named("flash 1024", attention("flash", 1024, **on)),
        Named("layer_norm 16384×4096", layernorm(16384, 4096, **on)),
        Named("flash 4096", attention("flash", 4096, **on)),
        Named("matmul 8192³", matmul(8192, **on)),
        Named("swiglu 4096×4096", swiglu(4096, 4096, **on)),
        Named("flash 8192, backward too", attention("flash", 8192, "forward_backward", **on)),
        Named("naive 4096", attention("naive", 4096, **on)),
    ]


# ---------------------------------------------------------------------- in the process that times


def keep_memory() -> None:
    """Have glibc keep what is freed, as tbench's workers do (`allocator: kept`). Nothing where there is no mallopt."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for name, (parameter, value) in KEPT.items():
        if not mallopt(parameter, value):
            raise SystemExit(f"mallopt refuses {name}={value}: run with --allocator default")


def call(described: str, allocator: str) -> Callable[[], Any]:
    """What tbench times for a case (as JSON), set up in this process from the same seed, on as many sets of inputs."""
    from tbench.catalog import get
    from tbench.execution.sets import count
    from tbench.execution.worker import built
    from tbench.measure.device import open_device
    from tbench.measure.sampler import Ring

    if allocator == "kept":
        keep_memory()
    case = Case.from_dict(json.loads(described))
    work, device = get(case.component).work_of(case), open_device(case.device)
    sets = count(work, case.phase, Sampling(), device.cache_bytes(), device.free_bytes() // 8) if work else 1
    return Ring(built(case, SEED, sets).calls).take(sys.maxsize)


def waiting_call(described: str, allocator: str) -> Callable[[], Any]:
    """The same for a harness that knows no GPU: it returns when the work is done, not when it is submitted."""
    once = call(described, allocator)
    if json.loads(described)["device"] == "cpu":
        return once
    import torch

    def and_wait() -> None:
        once()
        torch.cuda.synchronize()

    return and_wait


def described(case: Case) -> str:
    return json.dumps(case.to_dict())


def operand_bytes(case: Case) -> int:
    return 4 * case.integer("rows") * case.integer("width")


def function(name: str) -> Callable[..., Any]:
    """What is called with the tensors of `operands`."""
    import torch
    import torch.nn.functional as F

    functions: dict[str, Callable[..., Any]] = {
        "sort": torch.sort,
        "softmax": partial(torch.softmax, dim=-1),
        "silu": F.silu,
        "embedding": F.embedding,
        "cross_entropy": F.cross_entropy,
    }
    return functions[name]


class PlainWorkload:
    """A case of `operation`, set up: see `tbench.components.workload.Workload`."""

    layers = 1
    notes: tuple[str, ...] = ()
    overwrites = False

    def __init__(self, case: Case, seed: int, sets: int = 1) -> None:
        import torch

        self.ran = str(case["kernel"])
        self.function = function(self.ran)
        self.generator = torch.Generator().manual_seed(seed)
        self.sets = [operands(self.ran, case.integer("rows"), case.integer("width")) for _ in range(sets)]
        for tensors in self.sets:
            self.fill(tensors)
        self.calls = [partial(self.function, *tensors) for tensors in self.sets]
        self.resident_bytes = sum(tensor.nbytes for tensor in self.sets[0])

    def fill(self, tensors: list[Any]) -> None:
        for tensor in tensors:
            if tensor.is_floating_point():
                tensor.normal_(generator=self.generator)
            else:
                tensor.random_(0, self.classes(tensors), generator=self.generator)

    def classes(self, tensors: list[Any]) -> int:
        """How many values a whole number may have: it chooses a row of the table, or an element of the logits."""
        rows, width = next(tensor.shape for tensor in tensors if tensor.is_floating_point())
        return int(rows if self.ran == "embedding" else width)

    def check(self, seed: int) -> Check:
        return self.expect(0, seed).compare(self.calls[0]())

    def expect(self, index: int, seed: int) -> Expected:
        self.generator.manual_seed(seed)
        tensors = self.sets[index]
        self.fill(tensors)
        wide = [tensor.double() if tensor.is_floating_point() else tensor for tensor in tensors]
        return Expected(first(self.function(*wide)))

    def nudge(self, index: int) -> None:
        from tbench.components.data import nudge

        for tensor in self.sets[index]:
            if tensor.is_floating_point():
                nudge(tensor, self.generator)
            else:
                tensor.random_(0, self.classes(self.sets[index]), generator=self.generator)

    def close(self) -> None: ...


@dataclass(frozen=True)
class Expected:
    """The values in float64: see `tbench.components.workload.Expectation`."""

    truth: Any

    def compare(self, results: Any) -> Check:
        found = first(results).double()
        return Check(float((found - self.truth).norm() / self.truth.norm()), ERROR_LIMIT)

    def done(self) -> None: ...


def operands(name: str, rows: int, width: int) -> list[Any]:
    """Tensors of the sizes the operation takes, not yet filled."""
    import torch

    choices = torch.empty(rows, dtype=torch.int64)
    if name == "embedding":
        return [choices, torch.empty(VOCABULARY, width)]
    values = torch.empty(rows, width)
    return [values, choices] if name == "cross_entropy" else [values]


def first(result: Any) -> Any:
    """The values of a sort, without their places: with them, a result is a tuple."""
    return result if hasattr(result, "norm") else result[0]
