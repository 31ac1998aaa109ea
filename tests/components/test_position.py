"""Positions: right in every variant, what must hold of each encoding, and the formulas against weighed bytes."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tbench.catalog import get
from tbench.components.position.formulas import ENCODINGS
from tbench.components.registry import Impossible
from tbench.model import encodings
from tbench.model.presets import PRESETS
from tbench.training.properties import shift_change
from tests.components.small import DTYPES, PHASES, case, passes, predicted

POSITION = get("position")
SMALL: dict[str, Any] = {"batch": 2, "seq_len": 37, "heads": 4, "kv_heads": 2, "head_dim": 16}
SHIFTS = (1, 10, 100, 1_000, 9_999, 10_000)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_right(dtype: str, phase: str, encoding: str) -> None:
    passes(case("position", phase, dtype, encoding=encoding, **SMALL))


@pytest.mark.parametrize("sizes", [SMALL, {"batch": 1, "seq_len": 29, "heads": 6, "kv_heads": 6, "head_dim": 32}])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_predicted_bytes_are_the_weighed_ones(dtype: str, phase: str, encoding: str, sizes: dict[str, Any]) -> None:
    predicted(case("position", phase, dtype, encoding=encoding, **sizes), relative=0.003)


def test_compiled_is_right_and_holds_what_is_predicted() -> None:
    of = case("position", "forward_backward", encoding="rope", kernel="compiled", **SMALL)
    passes(of)
    predicted(of)


def test_rope_depends_on_distance_only() -> None:
    assert shift_change(SHIFTS) < 1e-4


def test_but_not_with_angles_in_bfloat16() -> None:
    assert shift_change(SHIFTS, angles=torch.bfloat16) > 0.1


def test_nor_is_the_property_a_matter_of_course() -> None:
    """Positions that are divided differently for q and k would show: here, tables that do not move with the shift."""
    q, k = torch.randn(2, 8, 16, generator=torch.Generator().manual_seed(0))
    place = torch.arange(8)
    still, moved = encodings.rope_tables(place, 16), encodings.rope_tables(place + 100, 16)
    right = encodings.apply_rope(q, *still) @ encodings.apply_rope(k, *still).mT
    wrong = encodings.apply_rope(q, *moved) @ encodings.apply_rope(k, *still).mT
    assert float((right - wrong).abs().max() / right.abs().max()) > 0.1


def test_learned_positions_end_with_their_table() -> None:
    table = torch.randn(512, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(encodings.learned(table, torch.arange(512)), table)
    with pytest.raises(encodings.BeyondTable, match=r"position 799 has no vector.* learned for 512 positions"):
        encodings.learned(table, torch.arange(800))


@given(position=st.integers(0, 100_000), half=st.integers(1, 64))
@settings(max_examples=40, deadline=None)
def test_sinusoids_are_those_of_the_paper(position: int, half: int) -> None:
    """PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos of the same (Vaswani et al. 2017, §3.5)."""
    (row,) = encodings.sinusoidal_table(torch.tensor([position]), 2 * half, dtype=torch.float64).tolist()
    for pair in range(half):
        angle = position / 10_000 ** (2 * pair / (2 * half))
        assert row[2 * pair] == pytest.approx(math.sin(angle), abs=1e-8)
        assert row[2 * pair + 1] == pytest.approx(math.cos(angle), abs=1e-8)


@given(factor=st.sampled_from([1.0, 2.0, 4.0]), half=st.integers(1, 32), position=st.integers(0, 4096))
@settings(max_examples=40, deadline=None)
def test_interpolation_divides_positions(factor: float, half: int, position: int) -> None:
    wide = encodings.rope_tables(torch.tensor([position * int(factor)]), 2 * half, factor=factor)
    near = encodings.rope_tables(torch.tensor([position]), 2 * half)
    assert all(torch.equal(one, other) for one, other in zip(wide, near, strict=True))


def test_rope_turns_and_keeps_lengths() -> None:
    x = torch.randn(3, 9, 16, generator=torch.Generator().manual_seed(0))
    turned = encodings.apply_rope(x, *encodings.rope_tables(torch.arange(9), 16))
    assert torch.allclose(turned.norm(dim=-1), x.norm(dim=-1), rtol=1e-5)
    assert torch.allclose(turned[:, 0], x[:, 0])  # position 0 stays
    assert not torch.allclose(turned[:, 1:], x[:, 1:], atol=0.1)


def test_alibi_slopes_are_those_of_the_paper() -> None:
    """8 heads: 1/2, 1/4 … 1/256; 16 heads: 2^−0.5, 2^−1 … (Press et al. 2022, §3). 12 heads: 8, and 4 between."""
    assert encodings.alibi_slopes(8) == [2.0**-power for power in range(1, 9)]
    assert encodings.alibi_slopes(16) == [2.0 ** (-power / 2) for power in range(1, 17)]
    assert encodings.alibi_slopes(12) == encodings.alibi_slopes(8) + encodings.alibi_slopes(16)[:8:2]
    assert encodings.alibi_slopes(1) == [2.0**-8]


@given(heads=st.integers(1, 200))
def test_every_head_has_a_slope_of_its_own(heads: int) -> None:
    slopes = encodings.alibi_slopes(heads)
    assert len(set(slopes)) == len(slopes) == heads
    assert all(0 < slope < 1 for slope in slopes)


def test_alibi_lowers_scores_with_distance() -> None:
    bias = encodings.alibi_bias(torch.tensor([0.5, 0.25]), torch.tensor([3]), torch.arange(4))
    assert bias.tolist() == [[[-1.5, -1.0, -0.5, 0.0]], [[-0.75, -0.5, -0.25, 0.0]]]


def test_work() -> None:
    """2 · 5 tokens, 4 heads of 8 numbers, 2 of them shared: in float32."""
    sizes = {"batch": 2, "seq_len": 5, "heads": 4, "kv_heads": 2, "head_dim": 8}

    def bytes_of(encoding: str, phase: str = "forward") -> float:
        found = POSITION.work_of(case("position", phase, encoding=encoding, **sizes))
        assert found is not None
        return found.bytes

    x, table, q_and_k, angles, scores = 4 * 10 * 32, 4 * 5 * 32, 4 * 10 * 48, 4 * 5 * 8, 4 * 2 * 4 * 25
    assert bytes_of("none") == bytes_of("none", "forward_backward") == 0
    assert bytes_of("sinusoidal") == bytes_of("sinusoidal", "forward_backward") == 2 * x + table
    assert bytes_of("learned", "forward_backward") - bytes_of("learned") == x + table
    assert bytes_of("rope") == 2 * q_and_k + angles
    assert bytes_of("rope", "forward_backward") == 2 * bytes_of("rope")
    assert bytes_of("alibi") == 2 * scores


@pytest.mark.parametrize("encoding", ["rope", "rope-interpolated", "sinusoidal"])
def test_pairs_need_an_even_size(encoding: str) -> None:
    with pytest.raises(Impossible, match="works on pairs, and 15 is odd") as refusal:
        case("position", encoding=encoding, **{**SMALL, "head_dim": 15})
    assert refusal.value.axis == "head_dim"


def test_a_preset_fills_in_heads() -> None:
    preset, made = PRESETS["llama-3-8b"].config, case("position", model="llama-3-8b", seq_len=8)
    assert [made[size] for size in ("heads", "kv_heads", "head_dim")] == [
        preset.heads,
        preset.kv_heads,
        preset.head_dim,
    ]
    with pytest.raises(Impossible, match="3 KV heads cannot be shared evenly by 4 heads"):
        case("position", **{**SMALL, "kv_heads": 3})


@pytest.mark.parametrize(
    ("kernel", "encoding", "reason"),
    [
        ("compiled", "none", "none computes nothing: there is nothing to compile"),
        ("liger", "alibi", "is for rope; alibi rotates nothing"),
        ("compiled", "rope", None),
        ("liger", "rope-interpolated", None),
    ],
)
def test_limits(kernel: str, encoding: str, reason: str | None) -> None:
    limits = POSITION.variants[kernel].limits
    assert limits is not None
    assert limits(case("position", encoding=encoding, kernel=kernel, **SMALL)) == reason
