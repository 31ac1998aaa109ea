"""PyTorch's settings that hold for a whole process: a kernel that changes one changes what is timed after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

# How each setting is asked for and set, by the name in which it is told.
SETTINGS: Mapping[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "the default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "the default device": (torch.get_default_device, lambda _: torch.set_default_device(None)),
    "the number of threads": (torch.get_num_threads, torch.set_num_threads),
    "grad mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "the float32 matmul precision": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "deterministic algorithms": (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    "autocast": (
        lambda: torch.is_autocast_enabled("cpu"),
        lambda enabled: torch.set_autocast_enabled("cpu", enabled),
    ),
    "flushing of denormal numbers": (
        lambda: float(torch.tensor(1e-40, dtype=torch.float32, device="cpu") * 1) == 0.0,
        torch.set_flush_denormal,
    ),
}

State = Mapping[str, Any]


def current() -> State:
    return {name: ask() for name, (ask, _) in SETTINGS.items()}


def restore(state: State) -> list[str]:
    """Put back what differs from `state`; the names of what did."""
    changed = [name for name, (ask, _) in SETTINGS.items() if ask() != state[name]]
    for name in changed:
        SETTINGS[name][1](state[name])
    return changed


def set_fp32_precision(precision: str) -> None:
    """What CUDA computes products of float32 matrices in: `ieee` or `tf32`, whatever the environment says.

    NVIDIA's containers set TORCH_ALLOW_TF32_CUBLAS_OVERRIDE, with which PyTorch starts in TF32.
    """
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")


def modes() -> int:
    """How many modes see every operation before it is carried out: one that is left behind could do a kernel's work."""
    return int(torch._C._len_torch_function_stack() + torch._C._len_torch_dispatch_stack())


def restoring(call: Callable[[], Any], state: State) -> Callable[[], Any]:
    """`call`, and afterwards everything put back, so that every call finds what the first one found."""

    def contained() -> Any:
        try:
            return call()
        finally:
            restore(state)

    return contained
