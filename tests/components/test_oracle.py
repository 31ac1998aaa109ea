"""The oracle itself: right against a plain computation of everything, and able to see every kind of mistake."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tbench.components.attention import oracle
from tbench.components.attention.problem import AttentionProblem
from tbench.components.workload import Check, Malformed
from tests.components.cases import attention, built, problem


def plainly(p: AttentionProblem, q: Tensor, k: Tensor, v: Tensor, grad: Tensor | None) -> dict[str, Tensor]:
    """Attention by loops over batch, head and query, in float64; gradients by hand (no autograd)."""
    q, k, v = q.double(), k.double(), v.double()
    results = {
        "out": torch.zeros_like(q),
        "dq": torch.zeros_like(q),
        "dk": torch.zeros_like(k),
        "dv": torch.zeros_like(v),
    }
    for b in range(p.batch):
        for h in range(p.heads):
            shared = h * p.kv_heads // p.heads
            for row in range(p.queries):
                at = row + p.keys - p.queries if p.decode else row
                seen = [j for j in range(p.keys) if p.pattern.keeps(at, j) and (j <= at or not p.causal)]
                logits = [float(q[b, h, row] @ k[b, shared, j]) / math.sqrt(p.head_dim) for j in seen]
                largest = max(logits)
                terms = [math.exp(one - largest) for one in logits]
                weights = [one / sum(terms) for one in terms]
                for j, weight in zip(seen, weights, strict=True):
                    results["out"][b, h, row] += weight * v[b, shared, j]
                if grad is None:
                    continue
                g = grad[b, h, row].double()
                mean = float(g @ results["out"][b, h, row])
                for j, weight in zip(seen, weights, strict=True):
                    results["dv"][b, shared, j] += weight * g
                    slope = weight * (float(g @ v[b, shared, j]) - mean) / math.sqrt(p.head_dim)
                    results["dq"][b, h, row] += slope * k[b, shared, j]
                    results["dk"][b, shared, j] += slope * q[b, h, row]
    return results if grad is not None else {"out": results["out"]}


SMALL: dict[str, Any] = {"batch": 2, "seq_len": 9, "heads": 4, "head_dim": 8}


@pytest.mark.parametrize("phase", ["forward", "forward_backward", "decode"])
@pytest.mark.parametrize("pattern", ["full", "window:3", "strided:2:3", "fixed:4:1"])
@pytest.mark.parametrize(("kv_heads", "causal"), [(4, True), (2, False), (1, True)])
def test_agrees_with_a_plain_computation(phase: str, pattern: str, kv_heads: int, causal: bool) -> None:
    case = attention("naive", phase=phase, pattern=pattern, kv_heads=kv_heads, causal=causal, **SMALL)
    with built(case) as workload:
        (step,) = workload.sets[0]
        x = step.inputs
        truth = plainly(step.problem, x.q.detach(), x.k.detach(), x.v.detach(), x.grad)
        every = oracle.Sample(
            tuple((b, h) for b in range(2) for h in range(kv_heads)), torch.arange(step.problem.queries)
        )
        named = {"q": x.q, "k": x.k, "v": x.v} | ({} if x.grad is None else {"grad": x.grad})
        strict = oracle.expected(step.problem, every, named, None).compare(truth)
    assert strict.error < 1e-12


def verdict(attend: Callable[[AttentionProblem, Tensor, Tensor, Tensor], Tensor], **given: Any) -> Check:
    """What `check` says to another kernel in the place of naive's."""
    with built(attention("naive", **given)) as workload:
        (step,) = workload.sets[0]
        step.attend = lambda q, k, v: attend(step.problem, q, k, v)
        return workload.check(3)


def kept(p: AttentionProblem) -> Tensor:
    q = torch.arange(p.queries)[:, None] + p.first_query
    return torch.as_tensor(p.kept(q, torch.arange(p.keys)[None]))


def attend(
    p: AttentionProblem, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, scale: float = 1.0
) -> Tensor:
    k, v = (x.repeat_interleave(p.group, dim=1) for x in (k, v))
    scores = q @ k.mT * p.scale * scale
    return scores.masked_fill(~(kept(p) if mask is None else mask), -math.inf).softmax(-1) @ v


def shifted(p: AttentionProblem, by: int) -> Tensor:
    """A mask off by `by` keys: the window's far edge, or the triangle's."""
    q, k = torch.arange(p.queries)[:, None], torch.arange(p.keys)[None]
    reach = p.pattern.reach
    return (k <= q) & (q - k < reach + by) if reach else k <= q + by


def swapped_groups(p: AttentionProblem, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Query head h on KV head h % kv_heads, as an interleaved layout would have it."""
    k, v = (x.repeat(1, p.group, 1, 1) for x in (k, v))
    return (q @ k.mT * p.scale).masked_fill(~kept(p), -math.inf).softmax(-1) @ v


def spoiled(change: Callable[[Tensor], Any]) -> Callable[..., Any]:
    return lambda p, q, k, v: change(attend(p, q, k, v))


def one_head(out: Tensor) -> Tensor:
    out[-1, -1] = out[-1, -1].roll(1, 0)
    return out


def last_row(out: Tensor) -> Tensor:
    out[:, :, -1] *= 1.01
    return out


def nan(out: Tensor) -> Tensor:
    out[0, 0, 0, 0] = math.nan
    return out


WRONG: list[tuple[str, Callable[..., Tensor], dict[str, Any]]] = [
    ("scale", lambda p, q, k, v: attend(p, q, k, v, scale=1.02), {}),
    ("no scale", lambda p, q, k, v: attend(p, q, k, v, scale=1 / p.scale), {}),
    ("not causal", lambda p, q, k, v: attend(p, q, k, v, mask=torch.ones(p.queries, p.keys, dtype=torch.bool)), {}),
    ("causal where it is not", lambda p, q, k, v: attend(p, q, k, v, mask=shifted(p, 0)), {"causal": False}),
    ("triangle one key wide", lambda p, q, k, v: attend(p, q, k, v, mask=shifted(p, 1)), {}),
    ("window one key wide", lambda p, q, k, v: attend(p, q, k, v, mask=shifted(p, 1)), {"pattern": "window:64"}),
    ("window one key short", lambda p, q, k, v: attend(p, q, k, v, mask=shifted(p, -1)), {"pattern": "window:64"}),
    ("no window", lambda p, q, k, v: attend(p, q, k, v, mask=kept(problem(seq_len=300))), {"pattern": "window:64"}),
    (
        "upper left triangle in decode",
        lambda p, q, k, v: attend(p, q, k, v, mask=torch.arange(p.keys)[None] < 1),
        {"phase": "decode"},
    ),
    ("swapped groups", swapped_groups, {"kv_heads": 2}),
    ("one head", spoiled(one_head), {}),
    ("last row", spoiled(last_row), {}),
    ("half precision inside", lambda p, q, k, v: attend(p, q.bfloat16(), k.bfloat16(), v.bfloat16()).float(), {}),
    ("no softmax", lambda p, q, k, v: (q @ k.mT * p.scale).masked_fill(~kept(p), 0) @ v, {}),
    ("zeros", lambda p, q, k, v: torch.zeros_like(q), {}),
    ("NaN", spoiled(nan), {}),
]
MALFORMED: list[tuple[str, Callable[[Tensor], Any], str]] = [
    ("a row too few", lambda out: out[:, :, :-1], r"the result is \(2, 4, 299, 16\) instead of \(2, 4, 300, 16\)"),
    ("a row too many", lambda out: torch.cat((out, out[:, :, :1]), dim=2), r"the result is \(2, 4, 301, 16\)"),
    ("another layout", lambda out: out.transpose(1, 2), r"the result is \(2, 300, 4, 16\)"),
    ("another dtype", lambda out: out.double(), "the result is torch.float64 instead of torch.float32"),
    ("with more", lambda out: (out, out), "the result is a tuple instead of a tensor"),
]


@pytest.mark.parametrize(("name", "wrong", "given"), WRONG, ids=[name for name, *_ in WRONG])
def test_a_wrong_kernel_is_found(name: str, wrong: Callable[..., Tensor], given: dict[str, Any]) -> None:
    found = verdict(wrong, **given)
    assert not found.passed, found
    assert verdict(attend, **given).passed  # it is the mistake that is seen


@pytest.mark.parametrize("phase", ["forward", "forward_backward"])
@pytest.mark.parametrize(("name", "change", "said"), MALFORMED, ids=[name for name, *_ in MALFORMED])
def test_a_result_of_another_form_is_told(name: str, change: Callable[[Tensor], Any], said: str, phase: str) -> None:
    with pytest.raises(Malformed, match=said):
        verdict(spoiled(change), phase=phase)


def test_nan_is_told_as_nan_and_where() -> None:
    found = verdict(spoiled(nan))
    assert math.isnan(found.error)
    assert found.detail == "in out, batch 0, KV head 0"


def test_scores_past_the_range_of_exp_are_among_the_data() -> None:
    """A softmax that does not subtract the largest score overflows there."""

    def unsafe(p: AttentionProblem, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = (q @ k.mT * p.scale).masked_fill(~kept(p), -math.inf).exp()
        return weights / weights.sum(-1, keepdim=True) @ v

    for phase, at_least in (("forward", 10), ("decode", 5)):  # one query a head reaches as far by chance
        for dtype in ("float32", "bfloat16"):
            with built(attention("naive", phase=phase, dtype=dtype)) as workload:
                (step,) = workload.sets[0]
                step.attend = partial(unsafe, step.problem)
                found = [workload.check(seed).error for seed in range(10)]
            assert sum(map(math.isnan, found)) >= at_least


def test_a_wrong_row_among_many_is_found_sooner_or_later() -> None:
    """Rows are sampled, new ones at every check: most of them are looked at within a few dozen checks."""

    def wrong(p: AttentionProblem, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = attend(p, q, k, v)
        out[:, :, 123] *= 1.01
        return out

    with built(attention("naive", batch=1, heads=1, kv_heads=1)) as workload:
        (step,) = workload.sets[0]
        step.attend = lambda q, k, v: wrong(step.problem, q, k, v)
        passed = [workload.check(seed).passed for seed in range(60)]
    assert not all(passed)
    assert any(passed)  # the row was not in every sample: the 60 checks differ


def test_a_remembered_result_is_found() -> None:
    """Inputs are refilled in place, so an answer that is right for the first data is wrong for the next."""
    with built(attention("naive")) as workload:
        (step,) = workload.sets[0]
        remembered = workload.call()[0].clone()
        step.attend = lambda q, k, v: remembered
        assert not workload.check(3).passed


class WrongGradient(torch.autograd.Function):
    """The identity, whose gradient is 3% too large."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0] * 1.03


@pytest.mark.parametrize("which", ["q", "k", "v"])
def test_a_wrong_gradient_is_found(which: str) -> None:
    def wrong(p: AttentionProblem, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        x = {"q": q, "k": k, "v": v}
        x[which] = WrongGradient.apply(x[which])
        return attend(p, x["q"], x["k"], x["v"])

    for kv_heads in (4, 1):
        found = verdict(wrong, phase="forward_backward", kv_heads=kv_heads)
        assert not found.passed
        assert found.detail.startswith(f"in d{which}")
        assert found.error == pytest.approx(0.03, rel=0.6)


@pytest.mark.parametrize("given", [{"seq_len": 1}, {"pattern": "window:1"}], ids=str)
def test_gradients_that_should_be_zero_may_be_rounding_but_no_more(given: dict[str, Any]) -> None:
    """A query that sees one key has weight 1 on it whatever q and k are."""

    def leaking(p: AttentionProblem, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(p, q, k, v) + 1e-4 * (q - q.detach())  # nothing but a gradient

    assert verdict(attend, phase="forward_backward", **given).passed
    found = verdict(leaking, phase="forward_backward", **given)
    assert not found.passed
    assert found.detail.startswith("in dq")


def test_the_gradient_of_the_output_is_random_again_after_a_check() -> None:
    with built(attention("naive", phase="forward_backward")) as workload:
        (step,) = workload.sets[0]
        assert workload.check(1).passed
        assert step.inputs.grad is not None
        assert bool((step.inputs.grad != 0).all())  # zeros, as in a check, compute faster


@given(st.integers(0, 10_000), st.sampled_from([1, 2, 3, 65, 300, 5000]), st.sampled_from([1, 64, 255, 6000]))
def test_a_sample_has_the_first_and_last_rows_and_heads_and_is_small(seed: int, seq_len: int, window: int) -> None:
    p = problem(seq_len=seq_len, batch=3, heads=4, kv_heads=2, pattern=f"window:{window}")
    sample = oracle.draw(p, seed)
    rows = sample.rows.tolist()
    assert rows == sorted(set(rows))
    assert {0, seq_len - 1} <= set(rows) <= set(range(seq_len))
    assert {row for row in (window - 1, window, window + 1) if row < seq_len} <= set(rows)
    assert {(0, 0), (2, 1)} <= set(sample.heads)
    assert len(set(sample.heads)) == len(sample.heads) <= oracle.MOST_HEADS
    assert len(rows) <= oracle.MOST_ROWS
    assert len(sample.heads) * p.group * len(rows) * p.keys <= oracle.MOST_PAIRS


def test_samples_differ_and_repeat_with_the_seed() -> None:
    p = problem(seq_len=5000)
    one, again, other = (oracle.draw(p, seed) for seed in (1, 1, 2))
    assert one.rows.tolist() == again.rows.tolist() != other.rows.tolist()
    assert one.heads == again.heads


def test_a_cache_in_eight_bits_does_not_pass_as_bfloat16() -> None:
    def rounded(x: Tensor) -> Tensor:
        return x.to(torch.float8_e4m3fn).to(x.dtype)

    for phase in ("forward", "decode"):
        assert verdict(attend, phase=phase, dtype="bfloat16").passed
        found = verdict(lambda p, q, k, v: attend(p, q, rounded(k), rounded(v)), phase=phase, dtype="bfloat16")
        assert not found.passed


def test_a_kernel_that_writes_over_its_input_is_told_which() -> None:
    def zeroes(p: AttentionProblem, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        v.zero_()
        return torch.zeros_like(q)

    with pytest.raises(Malformed, match="overwrites its input v"):
        verdict(zeroes)


def test_an_expectation_is_of_the_data_as_they_were_before_the_call() -> None:
    with built(attention("naive")) as workload:
        (step,) = workload.sets[0]
        expected = workload.expect(0, 7)
        results = workload.call()
        assert expected.compare(results).passed
        with torch.no_grad():
            step.inputs.k[0, 0, 0, 0] += 1
        with pytest.raises(Malformed, match="overwrites its input k"):
            expected.compare(results)


def test_a_lazy_result_is_refused() -> None:
    class Lazy(Tensor):
        pass

    with pytest.raises(Malformed, match=r"is a Lazy, a subclass; return a plain torch\.Tensor"):
        verdict(spoiled(lambda out: out.as_subclass(Lazy)))
