"""Tests that need a GPU: skipped, with the reason, where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent


def why_not() -> str | None:
    """Why the tests of this folder cannot run here; None where they can."""
    if torch.version.cuda is None:
        return "needs a CUDA device: this PyTorch is built without CUDA"
    if not torch.cuda.is_available():
        return "needs a CUDA device: PyTorch finds none"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = why_not()
    if reason is not None:
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))
