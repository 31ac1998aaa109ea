"""LayerNorm and RMSNorm: right in every variant, and their formulas against weighed bytes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tbench.catalog import get
from tbench.components.norm import kernels
from tbench.model.presets import PRESETS
from tests.components.small import DTYPES, PHASES, case, passes, predicted

NORM = get("norm")
SMALL: dict[str, Any] = {"batch": 2, "seq_len": 37, "hidden": 48}
WEIGHED: dict[str, Any] = {"batch": 2, "seq_len": 500, "hidden": 512}
NORMS = ("layernorm", "rmsnorm")


@pytest.mark.parametrize("kernel", ["naive", "default"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_right(dtype: str, phase: str, norm: str, kernel: str) -> None:
    passes(case("norm", phase, dtype, norm=norm, kernel=kernel, **SMALL))


@pytest.mark.parametrize(
    ("norm", "phase", "dtype"), [("layernorm", "forward_backward", "float32"), ("rmsnorm", "forward", "bfloat16")]
)
def test_compiled_is_right_and_holds_what_is_predicted(norm: str, phase: str, dtype: str) -> None:
    of = case("norm", phase, dtype, norm=norm, kernel="compiled", **WEIGHED)
    passes(of)
    predicted(of, relative=0.02)


@pytest.mark.parametrize("kernel", ["naive", "default"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_predicted_bytes_are_the_weighed_ones(dtype: str, phase: str, norm: str, kernel: str) -> None:
    """But for the statistics of each token, which the formula leaves out."""
    predicted(case("norm", phase, dtype, norm=norm, kernel=kernel, **WEIGHED), relative=0.01)


def test_rmsnorm_divides_by_the_mean_square_of_the_raw_values() -> None:
    """Not by the variance: a constant vector comes out as ones, where LayerNorm gives zeros."""
    x, one = torch.full((1, 1, 8), 3.0), torch.ones(8)
    for rmsnorm in (kernels.rmsnorm, kernels.framework_rmsnorm):
        assert torch.allclose(rmsnorm(x, one), torch.ones(8), atol=1e-5)
    for layernorm in (kernels.layernorm, kernels.framework_layernorm):
        assert torch.allclose(layernorm(x, one, torch.zeros(8)), torch.zeros(8), atol=1e-5)


def test_work() -> None:
    """2·3 tokens of 4 float32 numbers: x read and the result written, and the parameters read."""
    sizes = {"batch": 2, "seq_len": 3, "hidden": 4}
    forward = NORM.work_of(case("norm", norm="rmsnorm", **sizes))
    training = NORM.work_of(case("norm", "forward_backward", norm="layernorm", **sizes))
    assert forward is not None and training is not None
    assert forward.bytes == 4 * (2 * 24 + 4)
    assert training.bytes == 4 * (5 * 24 + 3 * 2 * 4)  # and x, the gradient, x's; the parameters and their gradients
    assert forward.flops == 4 * 24
    assert training.flops == (7 + 13) * 24


def test_on_cuda_the_framework_fuses_both() -> None:
    layernorm, rmsnorm = (case("norm", norm=norm, kernel="default", **WEIGHED) for norm in NORMS)
    assert NORM.predict_bytes(rmsnorm) > 1.4 * NORM.predict_bytes(layernorm)
    on_cuda = NORM.predict_bytes(rmsnorm.with_(device="cuda:0"))
    assert on_cuda < NORM.predict_bytes(layernorm.with_(device="cuda:0"))


def test_a_preset_fills_in_hidden() -> None:
    assert case("norm", model="llama-3-8b", seq_len=8)["hidden"] == PRESETS["llama-3-8b"].config.hidden


def test_liger_says_why_it_cannot_run_here() -> None:
    assert NORM.unsupported(case("norm", kernel="liger", **SMALL)) == "liger runs on cuda only"
