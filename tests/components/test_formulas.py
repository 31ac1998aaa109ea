"""Work, bytes and cache sizes: by hand for small cases, and against the closed forms of the literature."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.components.attention import ATTENTION, formulas
from tbench.components.attention.problem import layers
from tbench.records import Case, Work
from tests.components.cases import attention, problem


def work(case: Case) -> Work:
    found = ATTENTION.work_of(case)
    assert found is not None
    return found


SMALL = {"batch": 2, "seq_len": 3, "heads": 4, "kv_heads": 2, "head_dim": 8}  # float32: 4 bytes


def test_forward_by_hand() -> None:
    found = work(attention("naive", causal=False, **SMALL))
    assert found.flops == 4 * (2 * 4 * 8) * 9  # two products, multiply and add, of 3 × 3 pairs
    assert found.bytes == 4 * 2 * 8 * 3 * (4 + 2 + 2 + 4)  # q, k, v, out
    assert found.kv_cache_bytes is None


def test_causal_by_hand() -> None:
    found = work(attention("naive", causal=True, **SMALL))
    assert found.flops == 4 * (2 * 4 * 8) * 6
    assert found.bytes == work(attention("naive", causal=False, **SMALL)).bytes


@pytest.mark.parametrize(
    "kernel", ["naive", "flash"]
)  # flash computes the scores twice, which is no work for the result
def test_backward_by_hand(kernel: str) -> None:
    found = work(attention(kernel, phase="forward_backward", causal=False, **SMALL))
    assert found.flops == (4 + 8) * (2 * 4 * 8) * 9
    reads, writes = (4 + 2 + 2) + (4 + 4), 4 + 2 + 2  # q, k, v, out and its gradient; dq, dk, dv
    assert found.bytes == 4 * 2 * 8 * 3 * ((4 + 2 + 2 + 4) + reads + writes)


def test_decode_by_hand() -> None:
    found = work(attention("naive", phase="decode", **SMALL))
    assert found.flops == 4 * (2 * 4 * 8) * 3  # one query, which sees all of the cache, causal or not
    assert found.kv_cache_bytes == 4 * 2 * 8 * 3 * (2 + 2)
    assert found.bytes == found.kv_cache_bytes + 4 * 2 * 8 * (4 + 4)


@given(st.integers(1, 200), st.integers(1, 250))
def test_kept_pairs_have_their_closed_forms(n: int, w: int) -> None:
    def share(pattern: str) -> float:
        return formulas.pairs(problem(batch=1, seq_len=n, pattern=pattern)) / n**2

    w = min(w, n)
    assert share("full") == pytest.approx((n + 1) / (2 * n))
    assert share(f"window:{w}") == pytest.approx((n * w - w * (w - 1) / 2) / n**2)
    assert formulas.pairs(problem(batch=1, seq_len=n, causal=False)) == n * n


@pytest.mark.parametrize("pattern", ["full", "window:7", "strided:5:4", "fixed:8:2"])
@pytest.mark.parametrize("causal", [True, False])
def test_pairs_are_those_of_the_dense_mask(pattern: str, causal: bool) -> None:
    from tbench.components.attention.kernels.masks import dense_mask

    for phase in ("forward", "decode"):
        one = problem(batch=1, seq_len=150, pattern=pattern, causal=causal, phase=phase)
        assert formulas.pairs(one) == int(dense_mask(one).sum())


@given(st.integers(2, 9), st.integers(1, 300), st.sampled_from(["full", "window:7"]))
def test_a_ragged_batch_reads_the_keys_that_its_mask_shows(batch: int, seq_len: int, pattern: str) -> None:
    from tbench.components.attention.kernels.masks import dense_mask

    given = {"batch": batch, "seq_len": seq_len, "pattern": pattern, "phase": "decode"}
    one = problem(lengths="ragged", **given)
    keys = [one.keys_of(sequence) for sequence in range(batch)]
    assert formulas.pairs(one) == sum(keys)
    assert keys == sorted(keys) and keys[-1] == one.keys
    assert int(dense_mask(one).sum()) == (sum(keys) if one.lengths else one.keys)
    assert formulas.pairs(problem(**given)) == batch * one.keys


def test_a_ragged_batch_by_hand() -> None:
    sizes = {"phase": "decode", "batch": 4, "heads": 4, "kv_heads": 2, "head_dim": 8}
    found = work(attention(seq_len=10, lengths="ragged", **sizes))
    keys = 3 + 5 + 8 + 10  # quarters of ten, rounded up
    assert found.flops == 4 * 4 * 8 * keys
    assert found.bytes == 4 * 8 * (2 * 4 * 4 + 2 * 2 * keys)
    assert found.kv_cache_bytes == 4 * 8 * 2 * 2 * 4 * 10  # with room for the longest


def test_sharing_heads_saves_its_part_of_the_cache_exactly() -> None:
    mha, gqa, mqa = (
        work(attention(phase="decode", seq_len=16384, heads=32, kv_heads=shared, head_dim=128)).kv_cache_bytes
        for shared in (32, 8, 1)
    )
    assert mha == 2 * 2 * 32 * 16384 * 128 * 4
    assert gqa is not None and 1 - gqa / mha == 0.75
    assert mqa is not None and 1 - mqa / mha == 0.96875


@pytest.mark.parametrize(("seq_len", "held"), [(100, 100), (256, 256), (257, 256), (4096, 256)])
def test_a_window_makes_a_rolling_cache(seq_len: int, held: int) -> None:
    rolling = work(attention(phase="decode", seq_len=seq_len, pattern="window:256"))
    whole = work(attention(phase="decode", seq_len=held))
    assert rolling == whole


def test_other_patterns_keep_the_whole_cache_and_read_a_part() -> None:
    full, strided = (work(attention(phase="decode", seq_len=4096, pattern=one)) for one in ("full", "strided:64:64"))
    assert strided.kv_cache_bytes == full.kv_cache_bytes
    assert strided.bytes < full.bytes / 16
    assert strided.flops < full.flops / 16


@pytest.mark.parametrize("phase", ATTENTION.phases)
@pytest.mark.parametrize("full_every", [2, 4])
def test_a_stack_is_the_mean_of_its_layers(phase: str, full_every: int) -> None:
    def of(pattern: str) -> Work:
        return work(attention("naive", phase=phase, seq_len=1024, pattern=pattern))

    stack, window, full = of(f"alternating:128:{full_every}"), of("window:128"), of("full")
    share = 1 / full_every
    assert stack.flops == pytest.approx((1 - share) * window.flops + share * full.flops)
    assert stack.bytes == pytest.approx((1 - share) * window.bytes + share * full.bytes)
    if phase == "decode":
        assert window.kv_cache_bytes is not None and full.kv_cache_bytes is not None
        assert stack.kv_cache_bytes == (1 - share) * window.kv_cache_bytes + share * full.kv_cache_bytes
    else:
        assert stack.kv_cache_bytes is None


@pytest.mark.parametrize("phase", ATTENTION.phases)
def test_work_is_the_results_not_the_variants(phase: str) -> None:
    assert len({work(attention(kernel, phase=phase)) for kernel in ATTENTION.variants}) == 1


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_moves_half_the_bytes(dtype: str) -> None:
    for phase in ATTENTION.phases:
        whole, half = work(attention(phase=phase)), work(attention(phase=phase, dtype=dtype))
        assert half.bytes == whole.bytes / 2
        assert half.flops == whole.flops


def test_resident_bytes_are_the_tensors_that_are_there() -> None:
    from tests.components.cases import built

    for given_ in (
        {"phase": "forward"},
        {"phase": "forward_backward", "kv_heads": 2},
        {"phase": "decode", "kv_heads": 1},
        {"phase": "decode", "pattern": "window:64"},
    ):
        case = attention("naive", causal=False, **given_)
        with built(case) as workload:
            (step,) = workload.sets[0]
            resident = formulas.resident_bytes(layers(case))
            assert resident == sum(tensor.nbytes for tensor in step.inputs.named().values())
            assert workload.resident_bytes == resident  # nothing held: no mask is needed


def test_decode_sees_everything_whatever_causal_says() -> None:
    for causal in (True, False):
        (one,) = layers(attention(phase="decode", causal=causal))
        assert not one.causal
        assert one.first_query == one.keys - 1
