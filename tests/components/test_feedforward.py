"""Feed-forward layers: right in every variant, matched in parameters, and their formulas against weighed bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.catalog import get
from tbench.components.feedforward.formulas import LEAST_MATCHED, FeedForward
from tbench.components.registry import Impossible
from tbench.model.config import CHOICES, GATED
from tbench.model.presets import PRESETS
from tests.components.small import DTYPES, PHASES, case, passes, predicted, workload

FEEDFORWARD = get("feedforward")
ACTIVATIONS = CHOICES["activation"]
SMALL: dict[str, Any] = {"batch": 2, "seq_len": 37, "hidden": 48}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_right(dtype: str, phase: str, activation: str) -> None:
    passes(case("feedforward", phase, dtype, activation=activation, **SMALL))


def test_compiled_is_right_and_holds_what_is_predicted() -> None:
    sizes = {"batch": 2, "seq_len": 256, "hidden": 64, "ffn_hidden": 256}
    of = case("feedforward", "forward_backward", activation="swiglu", kernel="compiled", **sizes)
    passes(of)
    predicted(of)


@pytest.mark.parametrize("tokens", [8, 64, 300])  # parameters outweigh what lies between; neither; the other way round
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("width", [{}, {"ffn_hidden": 384}])
@pytest.mark.parametrize("phase", PHASES)
def test_predicted_bytes_are_the_weighed_ones(phase: str, width: dict[str, int], activation: str, tokens: int) -> None:
    predicted(case("feedforward", phase, activation=activation, **width, batch=2, seq_len=tokens, hidden=96))


def test_relu_is_compared_away_from_its_kink() -> None:
    """Where rounding decides on which side of 0 a value is, no gradient is right or wrong."""
    training = workload(case("feedforward", "forward_backward", activation="relu", **SMALL))
    assert training.operation.smooth is not None
    assert workload(case("feedforward", activation="relu", **SMALL)).operation.smooth is None
    rows = training.inputs["x"].detach().flatten(0, -2)[:5].double()
    rows[3] = 0.0  # every inner value is 0
    w_in = training.sets[0].parameters["w_in"].detach().double()
    assert training.operation.smooth(rows, {"w_in": w_in}).tolist() == [True, True, True, False, True]


def layer(**axes: Any) -> FeedForward:
    return FeedForward(case("feedforward", seq_len=2, **axes))


@given(hidden=st.integers(LEAST_MATCHED, 20_000))
def test_layers_have_as_many_parameters_within_one_percent(hidden: int) -> None:
    for activation in GATED:
        gated, plain = (layer(hidden=hidden, activation=one).parameters for one in (activation, "relu"))
        assert gated / plain == pytest.approx(1, abs=0.01 + 1e-12)


@pytest.mark.parametrize("width", [{}, {"ffn_hidden": 100}])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_parameters_are_those_of_the_real_tensors(activation: str, width: dict[str, int]) -> None:
    axes = {"activation": activation, "hidden": 96, **width}
    real = workload(case("feedforward", seq_len=2, **axes)).sets[0].parameters.values()
    assert sum(weight.numel() for weight in real) == layer(**axes).parameters


def test_widths_are_multiples_that_processors_like() -> None:
    assert layer(hidden=4096, activation="relu").ffn_hidden == 16384
    assert layer(hidden=4096, activation="swiglu").ffn_hidden == 11008


def test_too_small_to_match_is_refused_with_a_remedy() -> None:
    with pytest.raises(Impossible, match=f"write {LEAST_MATCHED} or more") as refusal:
        case("feedforward", seq_len=4, hidden=1, activation="swiglu")
    assert refusal.value.axis == "hidden"
    assert layer(hidden=1, activation="swiglu", ffn_hidden=4).hidden == 1
    assert layer(hidden=LEAST_MATCHED, activation="swiglu").ffn_hidden


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_the_layer_it_names(name: str) -> None:
    built, published = layer(model=name), PRESETS[name].config
    for what in ("hidden", "ffn_hidden", "activation"):
        assert getattr(built, what) == getattr(published, what), what


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
