"""What older versions wrote is read with today's names."""

from __future__ import annotations

import pytest

from tbench.store import renamed

BLOCK = {
    **{"batch": 1, "seq_len": 512, "hidden": 512, "heads": 8, "head_dim": 64, "inner": 2048, "design": "2024"},
    **{"placement": "pre", "norm": "rmsnorm", "activation": "swiglu", "kv_heads": 2, "position": "rope"},
    "kernel": "flash",
}


def case(component: str, axes: dict[str, object]) -> dict[str, object]:
    return {"component": component, "phase": "forward", "device": "cpu", "dtype": "float32", "axes": axes}


def test_a_block_has_its_width_as_built_and_the_fields_names() -> None:
    axes = renamed.case(case("block", BLOCK))["axes"]
    assert axes == {
        **{"batch": 1, "seq_len": 512, "hidden": 512, "heads": 8, "head_dim": 64, "ffn_hidden": 1376, "design": "2024"},
        **{"norm_position": "pre", "norm": "rmsnorm", "activation": "swiglu", "kv_heads": 2},
        **{"position_encoding": "rope", "rope_base": 10_000, "bias": "none", "kernel": "flash"},
    }
    assert renamed.case(case("block", {**BLOCK, "activation": "relu"}))["axes"]["ffn_hidden"] == 2048


@pytest.mark.parametrize(
    ("width", "activation", "found"),
    [
        ("matched", "swiglu", {"ffn_hidden": 2752}),
        ("matched", "relu", {"ffn_hidden": 4096}),
        ("same", "relu", {"ffn_hidden": 4096, "width": "same"}),
        ("same", "swiglu", {"ffn_hidden": 4096, "width": "same"}),
    ],
)
def test_a_feed_forward_layer_has_its_width(width: str, activation: str, found: dict[str, object]) -> None:
    old = case("feedforward", {"hidden": 1024, "activation": activation, "width": width, "kernel": "default"})
    assert renamed.case(old)["axes"] == {"hidden": 1024, "activation": activation, **found, "kernel": "default"}


def test_a_counted_model_has_an_activation() -> None:
    assert renamed.case(case("kv", {"ffn_matrices": 3, "vocab": 5}))["axes"] == {"activation": "swiglu", "vocab": 5}


def test_identities_change_with_their_cases_and_others_stay() -> None:
    old = "feedforward/forward device=cpu dtype=float32 hidden=1024 activation=relu width=matched kernel=default"
    new = "feedforward/forward device=cpu dtype=float32 hidden=1024 activation=relu ffn_hidden=4096 kernel=default"
    assert renamed.identity(old) == new == renamed.identity(new)
    line = {
        "case": case("feedforward", {"hidden": 1024, "activation": "relu", "width": "matched", "kernel": "default"})
    }
    assert renamed.measurement({**line, "baseline": old})["baseline"] == new
    assert renamed.measurement({**line, "baseline": None})["baseline"] is None
    same = "attention/forward device=cpu dtype=float32 seq_len=512 causal=true kernel=./my kernels.py:attend"
    assert renamed.identity(same) == same
