"""`auto`: what it takes, and that it says so."""

from __future__ import annotations

from typing import Any

import pytest

from tbench.components.attention.problem import layers
from tbench.errors import Unsupported
from tests.components.cases import attention, built


@pytest.mark.parametrize(
    ("given", "ran"),
    [
        ({}, "flash"),
        ({"pattern": "window:40"}, "chunked"),
        ({"pattern": "window:300"}, "flash"),  # hides nothing
        ({"pattern": "alternating:40:2"}, "chunked + flash"),
        ({"phase": "forward_backward", "pattern": "strided:24:16"}, "masked"),
        ({"phase": "decode", "pattern": "window:40", "batch": 64}, "flash"),
        ({"phase": "decode", "lengths": "ragged"}, "masked"),
    ],
)
def test_auto_takes_the_best_that_can_run_and_says_which(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], ran: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # on many cores, decode with few KV heads is naive's
    case = attention("auto", **given)
    with built(case) as workload:
        assert workload.ran == ran
        assert workload.check(1).passed
        assert workload.layers == len(layers(case))


def test_auto_folds_in_decode_where_flash_would_leave_cores_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    for batch, kv_heads, ran in ((1, 1, "naive"), (1, 4, "naive"), (2, 4, "flash"), (8, 1, "flash")):
        with built(attention("auto", phase="decode", batch=batch, kv_heads=kv_heads)) as workload:
            assert workload.ran == ran


def test_auto_gives_every_reason_when_nothing_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from tbench.components.attention import auto

    monkeypatch.setattr(auto, "FULL", ("cudnn", "chunked"))
    with pytest.raises(Unsupported) as caught, built(attention("auto")):
        pass
    assert (
        str(caught.value)
        == "cudnn: cudnn runs on cuda only; chunked: supports windows only; full has no maximum distance"
    )
