"""How what went wrong in a worker becomes the status and the reason of a row: the only place where an exception of a
variant does."""

from __future__ import annotations

import os
import re
import sys
import traceback

from tbench.components import calling
from tbench.components.workload import Check, Malformed
from tbench.errors import TbenchError, Unsupported
from tbench.measure import compiler
from tbench.records import Status

# What running out of memory is called where it is no exception of its own: by PyTorch's CPU allocator, by CUDA where a
# context or a module needs some (torch.AcceleratorError), by cuBLAS and cuDNN for their workspaces.
OUT_OF_MEMORY = (
    "can't allocate memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


CPP_ERROR = "CppCompileError"  # how torch.compile says that its C++ did not compile, within an error of its own


class WrongOutput(Exception):
    """The variant's result disagrees with the oracle."""


def require_right(check: Check, when: str = "") -> None:
    if not check.passed:
        found = f"differs from the float64 reference by {check.error:.2g} (allowed {check.limit:.2g})"
        raise WrongOutput(f"{found} {check.detail}".rstrip() + when)


def described(problem: BaseException) -> tuple[Status, str]:
    """`describe`, also for an exception that cannot tell what it is."""
    try:
        return describe(problem)
    except Exception:
        return "error", f"{type(problem).__name__}, whose message cannot be read"


def describe(problem: BaseException) -> tuple[Status, str]:
    """Status and reason for what went wrong in a variant."""
    import torch

    if isinstance(problem, Unsupported):
        return "unsupported", str(problem)
    if isinstance(problem, WrongOutput | Malformed):
        return "wrong", str(problem)
    said = first_line(problem)
    if isinstance(problem, MemoryError | torch.OutOfMemoryError) or any(one in str(problem) for one in OUT_OF_MEMORY):
        return "oom", f"out of memory: {said}"
    if isinstance(problem, TbenchError):
        return "error", str(problem)
    if CPP_ERROR in f"{type(problem).__name__}: {problem}" and (broken := compiler.problem()):
        return "unsupported", f"needs a C++ compiler to build its kernel: {broken}"
    told = f"{type(problem).__name__}: {said}{where(problem)}{calling.remark(problem)}"
    if said.startswith("CUDA error: "):
        told += "; CUDA reports errors late: CUDA_LAUNCH_BLOCKING=1 finds the kernel"
    return "error", told


def first_line(problem: BaseException) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    plain = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", lines[0][:300]) if lines else "no message"
    return "".join(letter if letter.isprintable() else "�" for letter in plain)  # it goes to terminals and logs


def where(problem: BaseException) -> str:
    """` (file:line)` of the innermost frame outside installed packages."""
    frames = traceback.extract_tb(problem.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith((sys.prefix, sys.base_prefix, "<"))]
    if not own:
        return ""
    return f" ({os.path.relpath(own[-1].filename)}:{own[-1].lineno})"
