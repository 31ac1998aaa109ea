"""Liger's Triton kernels (Hsu et al. 2024), where its package is installed."""

from __future__ import annotations

from typing import Any

from tbench.errors import Unsupported


def function(name: str) -> Any:
    """A function of `liger_kernel.transformers.functional`. Raises Unsupported if the package does not have it."""
    import importlib

    try:
        return getattr(importlib.import_module("liger_kernel.transformers.functional"), name)
    except (ImportError, AttributeError, RuntimeError, OSError) as problem:
        raise Unsupported(f"liger_kernel's {name} cannot be imported: {problem}") from None
