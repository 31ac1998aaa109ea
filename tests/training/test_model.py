"""The model does what its switches say, and arms of a comparison differ in nothing else."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tbench.components.position.encodings import BeyondTable
from tbench.training.design import CHOICES, Design, ladder
from tbench.training.model import Model, parameters

SMALL = Design(layers=2, heads=4, head_dim=8, hidden=32, longest=64)
LENGTH = 24
PATTERNS = ("full", "window:5", "strided:3:4", "fixed:6:2", "alternating:4:2")

designs = st.builds(
    lambda **switches: SMALL.with_(**switches),
    kv_heads=st.sampled_from([0, 1, 2]),
    matched=st.booleans(),
    refill=st.booleans(),
    factor=st.sampled_from([1.0, 2.0]),
    pattern=st.sampled_from(PATTERNS),
    **{switch: st.sampled_from(choices) for switch, choices in CHOICES.items()},
)


def bytes_(seed: int, length: int = LENGTH) -> torch.Tensor:
    return torch.randint(256, (2, length), generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60, deadline=None)
@given(designs, st.integers(1, LENGTH - 1))
def test_a_later_byte_never_changes_an_earlier_logit(design: Design, first: int) -> None:
    model, tokens = Model(design), bytes_(0)
    other = tokens.clone()
    other[:, first:] = (other[:, first:] + 1) % 256
    with torch.no_grad():
        one, two = model(tokens), model(other)
    assert one.shape == (2, LENGTH, 256)
    assert torch.allclose(one[:, :first], two[:, :first], atol=1e-5)
    assert not torch.allclose(one[:, first], two[:, first], atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(designs)
def test_kernels_compute_the_same(design: Design) -> None:
    with torch.no_grad():
        naive, flash = (Model(design.with_(kernel=kernel))(bytes_(1)) for kernel in CHOICES["kernel"])
    assert torch.allclose(naive, flash, atol=1e-4)


def within_a_percent(one: Design, two: Design) -> bool:
    return abs(parameters(Model(one)) / parameters(Model(two)) - 1) < 0.01


@pytest.mark.parametrize("hidden", [32, 64, 96])
@pytest.mark.parametrize("activation", CHOICES["activation"])
def test_matched_arms_have_the_same_number_of_parameters(activation: str, hidden: int) -> None:
    plain = SMALL.with_(hidden=hidden, activation="relu")
    assert within_a_percent(plain.with_(activation=activation), plain)


def test_an_unmatched_gated_layer_is_half_as_large_again() -> None:
    matched, unmatched = Model(SMALL), Model(SMALL.with_(matched=False))
    layer = [parameters(model.blocks[0].feedforward) for model in (matched, unmatched)]
    assert layer[1] / layer[0] == pytest.approx(1.5, rel=0.01)


@pytest.mark.parametrize("kv_heads", [1, 2])
def test_what_shared_heads_save_goes_to_the_feed_forward_layer(kv_heads: int) -> None:
    shared = SMALL.with_(kv_heads=kv_heads)
    assert within_a_percent(shared.with_(refill=True), SMALL)
    assert not within_a_percent(shared, SMALL)


def test_the_ladder_ends_at_2024_with_equal_parameters() -> None:
    steps = ladder(Design(layers=2, heads=8, head_dim=8))
    assert list(steps) == [
        *["2017", "+pre-norm", "+rmsnorm", "+swiglu", "+gqa", "+rope", "2024"],
        *["-pre-norm", "-rmsnorm", "-swiglu", "-gqa", "-rope"],
    ]
    assert all(within_a_percent(step, steps["2017"]) for step in steps.values())
    assert steps["2024"] == steps["+rope"].with_(kernel="flash")
    assert steps["-gqa"].keys == 8 and steps["2024"].keys == 2


@settings(max_examples=30, deadline=None)
@given(designs, designs, st.integers(0, 2**31))
def test_arms_start_from_the_same_numbers(one: Design, two: Design, seed: int) -> None:
    first, second = dict(Model(one, seed).named_parameters()), dict(Model(two, seed).named_parameters())
    shared = [name for name in first.keys() & second.keys() if first[name].shape == second[name].shape]
    assert "embedding.weight" in shared and "blocks.0.attention.query.weight" in shared
    assert all(torch.equal(first[name], second[name]) for name in shared)
    assert not torch.equal(first["head.weight"], dict(Model(one, seed + 1).named_parameters())["head.weight"])


def test_only_pre_norm_has_a_final_norm() -> None:
    assert parameters(Model(SMALL)) - parameters(Model(SMALL.with_(placement="post"))) == SMALL.hidden


def test_learned_positions_refuse_what_they_have_no_vector_for() -> None:
    model = Model(SMALL.with_(position="learned", longest=512))
    with torch.no_grad():
        assert model(bytes_(0, 512)).isfinite().all()
        with pytest.raises(BeyondTable, match="position 799 has no vector: the table was learned for 512"):
            model(bytes_(0, 800))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"activation": "tanh"}, "activation is 'tanh'"),
        ({"kv_heads": 3}, "3 KV heads cannot be shared evenly by 4 heads"),
        ({"position": "learned", "longest": 0}, "write longest"),
        ({"pattern": "diagonal"}, "not a pattern"),
    ],
)
def test_what_cannot_be_built_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SMALL.with_(**wrong)
