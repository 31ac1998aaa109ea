"""The model does what its switches say, and arms of a comparison differ in nothing else."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tbench.model import ladder, reference
from tbench.model.config import CHOICES, ModelConfig, matched, reinvested
from tbench.model.encodings import BeyondTable
from tbench.model.transformer import Decoder

SMALL = matched(
    ModelConfig(layers=2, hidden=32, heads=4, kv_heads=4, head_dim=8, ffn_hidden=1, vocab=256, max_positions=64)
)
LENGTH = 24
PATTERNS = ("full", "window:5", "strided:3:4", "fixed:6:2", "alternating:4:2")

configs = st.builds(
    lambda again, **switches: reinvested(matched(SMALL, **switches)) if again else matched(SMALL, **switches),
    again=st.booleans(),
    kv_heads=st.sampled_from([4, 1, 2]),
    rope_factor=st.sampled_from([1.0, 2.0]),
    pattern=st.sampled_from(PATTERNS),
    tied_embeddings=st.booleans(),
    **{switch: st.sampled_from(choices) for switch, choices in CHOICES.items()},
)


def bytes_(seed: int, length: int = LENGTH) -> torch.Tensor:
    return torch.randint(256, (2, length), generator=torch.Generator().manual_seed(seed))


@settings(max_examples=40, deadline=None)
@given(configs, st.integers(1, LENGTH - 1))
def test_a_later_byte_never_changes_an_earlier_logit(config: ModelConfig, first: int) -> None:
    model, tokens = Decoder(config), bytes_(0)
    other = tokens.clone()
    other[:, first:] = (other[:, first:] + 1) % 256
    with torch.no_grad():
        one, two = model(tokens), model(other)
    assert one.shape == (2, LENGTH, 256)
    assert torch.allclose(one[:, :first], two[:, :first], atol=1e-5)
    assert not torch.allclose(one[:, first], two[:, first], atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(configs)
def test_kernels_compute_the_same(config: ModelConfig) -> None:
    with torch.no_grad():
        naive, flash = (Decoder(config.with_(attention=one))(bytes_(1)) for one in CHOICES["attention"])
    assert torch.allclose(naive, flash, atol=1e-4)


def within_a_percent(one: ModelConfig, two: ModelConfig) -> bool:
    return abs(one.parameters / two.parameters - 1) < 0.01


@pytest.mark.parametrize("hidden", [32, 64, 96])
@pytest.mark.parametrize("activation", CHOICES["activation"])
def test_matched_arms_have_the_same_number_of_parameters(activation: str, hidden: int) -> None:
    plain = matched(SMALL, hidden=hidden, activation="relu")
    assert within_a_percent(matched(plain, activation=activation), plain)


@pytest.mark.parametrize("kv_heads", [1, 2])
def test_what_shared_heads_save_goes_to_the_feed_forward_layer(kv_heads: int) -> None:
    shared = SMALL.with_(kv_heads=kv_heads)
    assert within_a_percent(reinvested(shared), SMALL)
    assert not within_a_percent(shared, SMALL)


def test_the_ladder_ends_at_2024_with_equal_parameters() -> None:
    steps = ladder.models(SMALL.with_(hidden=64, heads=8, kv_heads=8))
    assert list(steps) == [
        *["2017", "+pre-norm", "+rmsnorm", "+swiglu", "+gqa", "+rope", "2024"],
        *["-pre-norm", "-rmsnorm", "-swiglu", "-gqa", "-rope"],
    ]
    assert all(within_a_percent(step, steps["2017"]) for step in steps.values())
    assert steps["2024"] == steps["+rope"].with_(attention="flash")
    assert steps["-gqa"].kv_heads == 8 and steps["2024"].kv_heads == 2


@settings(max_examples=25, deadline=None)
@given(configs)
def test_parameters_are_counted_as_they_are_built(config: ModelConfig) -> None:
    assert config.parameters == sum(parameter.numel() for parameter in Decoder(config).parameters())


@pytest.mark.parametrize("position_encoding", CHOICES["position_encoding"])
@pytest.mark.parametrize("attention", CHOICES["attention"])
@pytest.mark.parametrize("design", ["2017", "2024", "-swiglu"])
def test_loss_and_gradients_are_those_of_the_reference(design: str, attention: str, position_encoding: str) -> None:
    """The model that is trained, against one that shares none of its arithmetic, in float64."""
    config = ladder.models(SMALL)[design].with_(
        position_encoding=position_encoding, attention=attention, bias="all", pattern="alternating:5:2"
    )
    model = Decoder(config, seed=3).double()
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)).double())
    tokens, weights = bytes_(4)[0], dict(model.named_parameters())
    found, right = model(tokens[None])[0], reference.model(config, tokens, weights)
    assert torch.allclose(found, right, rtol=1e-9, atol=1e-9)
    up = torch.randn(found.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    grads, expected = (torch.autograd.grad(logits, list(weights.values()), up) for logits in (found, right))
    for name, one, other in zip(weights, grads, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-7, atol=1e-9), name


def test_the_loss_of_the_reference_notices_another_rope_base() -> None:
    model, tokens = Decoder(SMALL).double(), bytes_(4)[0]
    with torch.no_grad():
        right = reference.model(SMALL.with_(rope_base=500), tokens, dict(model.named_parameters()))
        assert not torch.allclose(model(tokens[None])[0], right, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(configs, configs, st.integers(0, 2**31))
def test_arms_start_from_the_same_numbers(one: ModelConfig, two: ModelConfig, seed: int) -> None:
    first, second = dict(Decoder(one, seed).named_parameters()), dict(Decoder(two, seed).named_parameters())
    shared = [name for name in first.keys() & second.keys() if first[name].shape == second[name].shape]
    assert "embedding" in shared and "blocks.0.wq" in shared
    assert all(torch.equal(first[name], second[name]) for name in shared)
    assert not torch.equal(first["embedding"], dict(Decoder(one, seed + 1).named_parameters())["embedding"])


def test_only_pre_norm_has_a_final_norm() -> None:
    assert SMALL.parameters - SMALL.with_(norm_position="post").parameters == SMALL.hidden


def test_learned_positions_refuse_what_they_have_no_vector_for() -> None:
    model = Decoder(SMALL.with_(position_encoding="learned", max_positions=512))
    with torch.no_grad():
        assert model(bytes_(0, 512)).isfinite().all()
        with pytest.raises(BeyondTable, match="position 799 has no vector: the table was learned for 512"):
            model(bytes_(0, 800))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"activation": "tanh"}, "activation is 'tanh'"),
        ({"kv_heads": 3}, "3 KV heads cannot be shared evenly by 4 heads"),
        ({"position_encoding": "learned", "max_positions": 0}, "write max_positions"),
        ({"pattern": "diagonal"}, "not a pattern"),
    ],
)
def test_what_cannot_be_built_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SMALL.with_(**wrong)
