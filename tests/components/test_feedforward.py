"""Feed-forward layers: right in every variant, matched in parameters, and their formulas against weighed bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.catalog import get
from tbench.components.feedforward.formulas import ACTIVATIONS, GATED, LEAST_MATCHED, inner_size, parameters
from tbench.components.registry import Impossible
from tests.components.small import DTYPES, PHASES, case, passes, predicted, workload

FEEDFORWARD = get("feedforward")
SMALL: dict[str, Any] = {"batch": 2, "seq_len": 37, "hidden": 48}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_right(dtype: str, phase: str, activation: str) -> None:
    passes(case("feedforward", phase, dtype, activation=activation, **SMALL))


@pytest.mark.parametrize(("activation", "phase"), [("swiglu", "forward_backward"), ("relu", "forward")])
def test_compiled_is_right_and_holds_what_is_predicted(activation: str, phase: str) -> None:
    sizes = {"batch": 2, "seq_len": 256, "hidden": 64, "width": "same"}
    of = case("feedforward", phase, activation=activation, kernel="compiled", **sizes)
    passes(of)
    predicted(of)


@pytest.mark.parametrize("tokens", [8, 64, 300])  # parameters outweigh what lies between; neither; the other way round
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("width", ["matched", "same"])
@pytest.mark.parametrize("phase", PHASES)
def test_predicted_bytes_are_the_weighed_ones(phase: str, width: str, activation: str, tokens: int) -> None:
    predicted(case("feedforward", phase, activation=activation, width=width, batch=2, seq_len=tokens, hidden=96))


def test_relu_is_compared_away_from_its_kink() -> None:
    """Where rounding decides on which side of 0 a value is, no gradient is right or wrong."""
    training = workload(case("feedforward", "forward_backward", activation="relu", **SMALL))
    assert training.operation.smooth is not None
    assert workload(case("feedforward", activation="relu", **SMALL)).operation.smooth is None
    rows = training.inputs["x"].detach().flatten(0, -2)[:5].double()
    rows[3] = 0.0  # every inner value is 0
    w_in = training.sets[0].parameters["w_in"].detach().double()
    assert training.operation.smooth(rows, {"w_in": w_in}).tolist() == [True, True, True, False, True]


@given(hidden=st.integers(LEAST_MATCHED, 20_000))
def test_matched_layers_have_as_many_parameters_within_one_percent(hidden: int) -> None:
    for activation in GATED:
        ratio = parameters(hidden, activation, "matched") / parameters(hidden, "relu", "matched")
        assert ratio == pytest.approx(1, abs=0.01 + 1e-12)


@pytest.mark.parametrize("width", ["matched", "same"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_parameters_are_those_of_the_real_tensors(activation: str, width: str) -> None:
    of = case("feedforward", activation=activation, width=width, seq_len=2, hidden=96)
    counted = sum(weight.numel() for weight in workload(of).sets[0].parameters.values())
    assert counted == parameters(96, activation, width)


def test_widths_are_multiples_that_processors_like() -> None:
    assert inner_size(4096, "relu", "matched") == 16384
    assert inner_size(4096, "swiglu", "same") == 16384
    matched = inner_size(4096, "swiglu", "matched")
    assert matched % 256 == 0
    assert matched == pytest.approx(4096 * 8 / 3, rel=0.01)


def test_too_small_to_match_is_refused_with_a_remedy() -> None:
    with pytest.raises(Impossible, match=f"write {LEAST_MATCHED} or more") as refusal:
        case("feedforward", seq_len=4, hidden=1, activation="swiglu")
    assert refusal.value.axis == "hidden"
    assert case("feedforward", seq_len=4, hidden=1, activation="swiglu", width="same")["hidden"] == 1
    assert case("feedforward", seq_len=4, hidden=LEAST_MATCHED, activation="swiglu")["width"] == "matched"


def test_work() -> None:
    """Two FLOPs per parameter and token forward, six with the backward pass."""
    sizes = {"batch": 2, "seq_len": 5, "hidden": 32, "activation": "relu"}
    forward, training = (FEEDFORWARD.work_of(case("feedforward", phase, **sizes)) for phase in PHASES)
    assert forward is not None and training is not None
    weights, tokens = 2 * 32 * 128, 10
    assert forward.flops == 2 * tokens * weights
    assert training.flops == 3 * forward.flops
    assert forward.bytes == 4 * (2 * tokens * 32 + weights)
    assert training.bytes == 4 * (5 * tokens * 32 + 3 * weights)


def test_liger_needs_a_gate() -> None:
    of = case("feedforward", activation="relu", kernel="liger", **SMALL)
    limits = FEEDFORWARD.variants["liger"].limits
    assert limits is not None
    assert limits(of) == "fuses a gate with its product; relu has no gate"
    assert limits(of.with_(activation="swiglu")) is None
