"""torch.compile, and what it needs on this machine."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch

from tbench.components.registry import Kernel
from tbench.errors import Unsupported


def compiled(device: str, function: Callable[..., Any]) -> Kernel:
    """`function` compiled for exactly these shapes; compilation happens at the first call. Raises Unsupported."""
    require_compiler(device)
    kernel: Kernel = torch.compile(function, dynamic=False, fullgraph=True)
    return kernel


def require_compiler(device: str) -> None:
    """On a CPU, torch.compile writes C++: say before the first call that there is no compiler."""
    if device != "cpu":
        return
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            get_cpp_compiler()
        except InvalidCxxCompiler:
            raise Unsupported("needs a C++ compiler to build its kernel: install g++, or name one in CXX") from None
