"""A folder of kernels of the user's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tbench.components import calling, own
from tests.components.own_kernels import KERNELS


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A scenario's folder with kernels in it, in which this process looks until the test ends."""
    (tmp_path / "kernels.py").write_text(KERNELS)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(own, "_folder", None)
    monkeypatch.setattr(calling, "_remark", "")
    own.look_in(str(tmp_path))
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
