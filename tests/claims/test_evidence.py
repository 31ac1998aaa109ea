"""From made-up runs with known truth to verdicts on the article's own claims."""

from __future__ import annotations

import dataclasses
import math

import pytest

from tbench.analysis.run import Run
from tbench.claims import article
from tbench.claims.assess import Judged, assess_claim
from tbench.claims.evidence import HOST, observe
from tbench.claims.selection import takes, telling
from tbench.claims.verdict import Verdict
from tbench.claims.words import amount, verdict_words
from tbench.records import Case, Measurement, Memory, Value
from tests.claims.runs import arm, case, found, judged, pair, run_of, verdicts
from tests.synthetic import attention, decode, failed, ok, with_telemetry


def test_nothing_measured_is_said() -> None:
    for claim in article().claims:
        assert assess_claim(claim, []).verdict is Verdict.NOT_MEASURED


@pytest.mark.parametrize(
    ("term", "value", "taken"),
    [
        ("flash", "flash", True),
        ("flash", "flash2", False),
        ("window:*", "window:256", True),
        ("!full", "window:256", True),
        ("!full", "full", False),
        ("!full", None, False),
        (">=1024", 1024, True),
        (">=1024", 512, False),
        ("<=4", 5, False),
        (">=1", True, False),
        (">=1", "x", False),
        ("true", True, True),
        ("8", 8, True),
    ],
)
def test_terms_of_a_selection(term: str, value: Value | None, taken: bool) -> None:
    assert takes(term, value) is taken


def test_flash_is_told_apart_by_length_and_phase() -> None:
    one = judged(
        "C9",
        *pair(512, 1.5e-3, 1e-3, "forward"),
        *pair(1024, 3e-3, 1e-3, "forward"),
        *pair(2048, 8e-3, 1e-3, "forward"),
        *pair(512, 3e-3, 1e-3, "forward_backward"),
        *pair(2048, 3e-3, 1e-3, "forward_backward"),
        *pair(1024, 0.7e-3, 1e-3, "decode"),
    )
    assert one.verdict is Verdict.PARTLY
    assert verdict_words(one, "en") == (
        "confirmed above the range: prefill (best baseline) at 2K tokens, prefill (naive) at 2K tokens; confirmed: "
        "training step (best baseline), training step (naive), prefill (best baseline) at 1K tokens, prefill (naive) "
        "at 1K tokens; partly: prefill (best baseline) at 512 tokens, prefill (naive) at 512 tokens; refuted: decode"
    )
    assert verdict_words(one, "zh").startswith("证实（高于声称范围）：预填充（最快基线）（2K词元时）")


def test_what_differs_at_one_length_is_told_by_what_sets_it_apart() -> None:
    def at(kv_heads: int, naive: float) -> list[Measurement]:
        return [
            dataclasses.replace(one, case=decoding(kv_heads, str(one.case["kernel"])), baseline=base)
            for base in [decoding(kv_heads, "naive").id]
            for one in pair(1024, naive, 1e-3)
        ]

    def decoding(kv_heads: int, kernel: str) -> Case:
        axes = {"batch": 1, "seq_len": 1024, "heads": 8, "kv_heads": kv_heads, "head_dim": 64}
        return case("attention", "decode", **axes, pattern="full", kernel=kernel)

    one = judged("C9", *at(2, 3e-3), *at(1, 0.5e-3))
    assert verdict_words(one, "en") == (
        "confirmed: decode with shared KV heads at kv_heads=2; refuted: decode with shared KV heads at kv_heads=1; "
        "not measured: training step (best baseline), training step (naive), prefill (best baseline), decode"
    )


def test_a_case_that_failed_keeps_its_regime_from_being_confirmed() -> None:
    wrong = failed(attention("flash", 2048, phase="forward_backward"), "wrong", "differs from the oracle")
    one = judged("C9", *pair(1024, 3e-3, 1e-3), wrong, attention_naive := pair(2048, 3e-3, 1e-3)[0])
    assert attention_naive.status == "ok"
    assert one.results[0].verdict is Verdict.PARTLY
    assert "training step (naive) 1 case, wrong" in verdict_words(one, "en")
    assert "单步训练（朴素实现）（1个用例，结果错误）" in verdict_words(one, "zh")
    too_large = failed(attention("naive", 2048, phase="forward_backward"), "oom", "needs 256 GiB")
    assert judged("C9", *pair(1024, 3e-3, 1e-3), too_large).results[0].verdict is Verdict.CONFIRMED


def test_a_speedup_is_that_of_paired_turns() -> None:
    one = judged("C9", *pair(1024, 3e-3, 1e-3))
    (seen,) = one.results[0].judged
    run = run_of(pair(1024, 3e-3, 1e-3))
    speedup = run.rows[1].speedup
    assert speedup is not None
    assert (seen.observation.estimate.value, seen.observation.estimate.low) == (speedup.estimate, speedup.low)
    assert [name.split("kernel=")[1] for name in seen.observation.cases] == ["naive", "flash"]
    assert seen.observation.notes == ()


def test_cases_that_took_no_turns_together_are_compared_without_and_it_is_said() -> None:
    naive, flash = pair(1024, 3e-3, 1e-3)
    one = judged("C9", dataclasses.replace(naive, baseline=None), dataclasses.replace(flash, baseline="elsewhere"))
    (seen,) = one.results[0].judged
    assert seen.observation.estimate.value == pytest.approx(3, rel=0.05)
    assert "drift does not cancel" in seen.observation.notes[0].en


def test_a_baseline_that_failed_or_is_not_there_is_no_verdict() -> None:
    flash = pair(1024, 3e-3, 1e-3)[1]
    alone = judged("C9", flash)
    assert alone.verdict is Verdict.NOT_MEASURED
    assert alone.results[0].missing[0].why.en == "no baseline among the cases"
    beside = judged("C9", failed(attention("naive", 1024, phase="forward_backward"), "oom", "needs 256 GiB"), flash)
    assert beside.results[0].missing[0].why.en == "its baseline is oom"


def test_one_round_is_not_enough() -> None:
    short = [dataclasses.replace(one, turns=one.turns[:4]) for one in pair(1024, 3e-3, 1e-3)]
    (seen,) = judged("C9", *short).results[0].judged
    assert seen.judgement.verdict is Verdict.INCONCLUSIVE
    assert seen.judgement.more == 2


def test_the_later_run_counts_for_the_same_point() -> None:
    claim = article().claim("C9")
    assert claim is not None
    runs = [run_of(pair(1024, 3e-3, 1e-3)), run_of(pair(1024, 1e-3, 1e-3))]
    values = [
        [seen.observation.estimate.value for seen in assess_claim(claim, order).results[0].judged]
        for order in (runs, runs[::-1])
    ]
    assert values == [[pytest.approx(1, rel=0.05)], [pytest.approx(3, rel=0.05)]]


def test_times_taken_in_turns_are_not_replaced_by_others() -> None:
    claim = article().claim("C9")
    assert claim is not None
    naive, flash = pair(1024, 1e-3, 1e-3)
    apart = [dataclasses.replace(naive, baseline=None), dataclasses.replace(flash, baseline="elsewhere")]
    runs = [run_of(pair(1024, 3e-3, 1e-3)), run_of(apart)]
    (seen,) = assess_claim(claim, runs).results[0].judged
    assert seen.observation.in_turns and seen.observation.run is runs[0]


def test_a_quick_training_run_does_not_take_the_place_of_a_full_one() -> None:
    claim = article().claim("C20")
    assert claim is not None
    full = run_of([arm("ladder", name, [2.0, 2.1, 2.2]) for name in ("2017", "2024")])
    quick = run_of([arm("ladder", name, [3.0, 3.1], budget="quick") for name in ("2017", "2024")])

    def quality(runs: list[Run]) -> tuple[Judged, ...]:
        return next(one.judged for one in assess_claim(claim, runs).results if one.regime.measure == "loss_difference")

    for runs in ([full, quick], [quick, full]):
        (seen,) = quality(runs)
        assert seen.observation.run is full
    (seen,) = quality([quick])
    assert seen.observation.estimate.n == 2


def test_labels_tell_observations_apart_and_no_more() -> None:
    points = [{"a": 1, "b": 10, "c": 0}, {"a": 1, "b": 20, "c": 0}, {"a": 2, "b": 30, "c": 1}]
    assert telling(points) == ["a", "b"]
    assert telling(points, "b") == ["b"]
    assert telling(points[:1]) == []


def test_growth_with_the_length() -> None:
    lengths = (1024, 2048, 4096)
    square = [one for n in lengths for one in pair(n, 1e-9 * n**2, 0.5e-9 * n**2)]
    assert judged("C1", *square).verdict is Verdict.CONFIRMED
    line = [one for n in lengths for one in pair(n, 1e-6 * n, 0.5e-6 * n)]
    assert judged("C1", *line).verdict in (Verdict.NO_EFFECT, Verdict.INCONCLUSIVE)
    memory = judged("C2", *square)
    assert verdicts(memory) == {"scores in memory (naive)": Verdict.CONFIRMED, "tiled (flash)": Verdict.NO_EFFECT}
    assert judged("C1", *pair(1024, 1e-3, 1e-3)).verdict is Verdict.NOT_MEASURED


def test_growth_is_that_of_the_last_doubling_and_says_where_the_square_begins() -> None:
    """A block: half of the time at 2048 tokens goes with the square."""
    sizes = (512, 1024, 2048, 4096)
    one = judged("C1", *(case for n in sizes for case in pair(n, 1e-6 * n + 1e-6 / 2048 * n**2, 1e-9 * n**2)))
    naive, flash = (seen.observation for seen in one.results[0].judged)
    assert naive.estimate.value == pytest.approx(math.log2(6 / 2), abs=0.05)
    assert [note.en for note in naive.notes] == [
        "seq_len 2048 to 4096",
        "the quadratic term overtakes the linear one at about seq_len=2e+03",
    ]
    assert flash.notes[1].en == "the quadratic term already dominates at 512"
    assert len(naive.cases) == 2


def compared(kernel: str, seconds: float, seed: int) -> Measurement:
    naive = attention("naive", 1024, phase="forward_backward")
    return ok(attention(kernel, 1024, phase="forward_backward"), seconds, seed, baseline=naive.id)


def test_of_several_baselines_the_fastest_counts() -> None:
    three = [compared("naive", 6e-3, 1), compared("naive-compiled", 3e-3, 2), compared("math", 9e-3, 3)]
    one = judged("C9", *three, compared("flash", 1e-3, 4))
    best, plain = one.results[0].judged[0].observation, one.results[1].judged[0].observation
    assert best.estimate.value == pytest.approx(3, rel=0.05)
    assert plain.estimate.value == pytest.approx(6, rel=0.05)
    assert [note.en for note in best.notes] == ["against kernel=naive-compiled, the fastest of 3 baselines"]
    assert best.in_turns and "kernel=naive-compiled" in best.cases[0]
    broken = failed(attention("naive-compiled", 1024, phase="forward_backward"), "error", "broke")
    without = judged("C9", three[0], broken, three[2], compared("flash", 1e-3, 4)).results[0].judged[0].observation
    assert without.estimate.value == pytest.approx(6, rel=0.05)


def test_sharing_is_compared_by_its_name() -> None:
    one = judged("C7", *decode())
    assert verdicts(one) == {
        "decode with GQA from a long cache": Verdict.CONFIRMED,
        "decode with MQA": Verdict.CONFIRMED,
    }
    assert one.verdict is Verdict.PARTLY  # prefill belongs to the claim and was not measured


def test_a_speedup_beyond_the_bytes_leaves_the_claim_open() -> None:
    """A quarter of the KV heads is a quarter of the bytes: 6.8 times as fast is a cache that was warm."""
    mha, gqa, mqa = decode()
    faster = tuple(dataclasses.replace(turn, seconds=tuple(s / 2 for s in turn.seconds)) for turn in gqa.turns)
    guarded = judged("C7", mha, dataclasses.replace(gqa, turns=faster), mqa).results[0]
    assert guarded.judged[0].observation.estimate.value == pytest.approx(6.8, rel=0.05)
    assert guarded.verdict is Verdict.INCONCLUSIVE
    guard = guarded.regime.guards[0].regime
    (seen,) = observe(guard, [run_of([mha, gqa, mqa])]).observations
    assert seen.estimate.value == pytest.approx(3.4 / 4, rel=0.05)
    assert amount("beyond_bytes", seen.estimate).startswith("85% of the bytes' ratio")


def sparse(kernel: str, seconds: float, seed: int) -> Measurement:
    full = attention("flash", 4096)
    memory = Memory(peak_bytes=10 * 2**20)
    return ok(attention(kernel, 4096, pattern="window:256"), seconds, seed, baseline=full.id, memory=memory)


def test_of_several_kernels_the_fastest_counts() -> None:
    full = ok(attention("flash", 4096), 100e-3, 1, baseline=attention("flash", 4096).id, memory=Memory(20 * 2**20))
    one = judged("C3", full, sparse("flex", 50e-3, 2), sparse("chunked", 25e-3, 3), sparse("masked", 400e-3, 4))
    (seen,) = one.results[0].judged
    assert seen.observation.estimate.value == pytest.approx(4, rel=0.05)
    assert seen.observation.notes[0].en == "kernel=chunked, the fastest of 2"
    assert verdicts(one)["a dense mask"] is Verdict.REFUTED
    assert verdicts(one)["memory vs. full flash"] is Verdict.CONFIRMED


def kv(kv_heads: int, **findings: float) -> Measurement:
    return found(case("kv", "decode", seq_len=2048, layers=1, heads=8, kv_heads=kv_heads, cache="full"), **findings)


def test_counted_figures_are_exact() -> None:
    counted = [
        kv(8, matrices=24, kv_cache_bytes=4096),
        kv(2, matrices=12, kv_cache_bytes=1024),
        kv(1, matrices=10, kv_cache_bytes=512),
    ]
    six = judged("C6", *counted)
    assert six.verdict is Verdict.CONFIRMED
    five = judged("C5", *counted)
    assert five.results[0].judged[0].observation.estimate.value == 0.75
    assert five.verdict is Verdict.CONFIRMED
    assert judged("C6", kv(8, matrices=23)).results[0].verdict is Verdict.REFUTED


def norm(name: str, kernel: str, seconds: float, seed: int) -> Measurement:
    axes: dict[str, Value] = {"batch": 1, "seq_len": 2048, "hidden": 4096, "norm": name, "kernel": kernel}
    base = case("norm", **{**axes, "norm": "layernorm"})
    timed = ok(attention("flash"), seconds, seed)
    return dataclasses.replace(timed, case=case("norm", **axes), baseline=base.id, work=None)


def test_norms_are_compared_like_for_like_and_the_default_pair_is_told_apart() -> None:
    one = judged(
        "C13",
        *(norm("layernorm", kernel, 12e-3, 1) for kernel in ("naive", "compiled", "default")),
        norm("rmsnorm", "naive", 12e-3, 1),
        norm("rmsnorm", "compiled", 8e-3, 2),
        norm("rmsnorm", "default", 36e-3, 4),
    )
    assert one.verdict is Verdict.PARTLY
    assert verdict_words(one, "en") == (
        "confirmed: both compiled; refuted: PyTorch's defaults; not measured: a block's training step"
    )


def test_the_norms_share_of_a_blocks_training_step() -> None:
    """Pairs that differ in the norm alone: early on the ladder, and at its end."""
    step = {"batch": 1, "seq_len": 512, "hidden": 512, "norm_position": "pre", "activation": "relu", "kernel": "naive"}
    last = {**step, "activation": "swiglu", "kernel": "flash"}

    def block(design: str, norm: str, axes: dict[str, Value], seconds: float, seed: int) -> Measurement:
        one = case("block", "forward_backward", **axes, norm=norm, design=design)
        return dataclasses.replace(ok(attention("flash"), seconds, seed), case=one, baseline="2017", work=None)

    one = judged(
        "C13",
        block("+pre-norm", "layernorm", step, 10e-3, 1),
        block("+rmsnorm", "rmsnorm", step, 8e-3, 2),
        block("-rmsnorm", "layernorm", last, 10e-3, 3),
        block("2024", "rmsnorm", last, 10e-3, 4),
        block("+swiglu", "rmsnorm", {**step, "activation": "swiglu"}, 5e-3, 5),
    )
    (found,) = (result for result in one.results if result.judged)
    assert [seen.judgement.verdict for seen in found.judged] == [Verdict.CONFIRMED, Verdict.NO_EFFECT]
    assert not found.missing


def test_sizes_without_a_figure_are_named_beside_the_slope_of_the_others() -> None:
    sizes = [pair(size, 1e-6 * size**2, 1e-7 * size**2) for size in (1024, 2048)]
    lost = failed(attention("naive", 4096, phase="forward_backward"), "oom", "no room")
    wrong = failed(attention("naive", 4096, phase="forward_backward"), "wrong", "off")
    host = with_telemetry(pair(4096, 1.0, 1.0)[1], launch_bound=True)
    one = judged("C1", *(case for both in sizes for case in both), lost, host).results[0]
    assert len(one.judged) == 2
    assert {missing.why.en for missing in one.missing} == {"oom", HOST.en}
    told = judged("C1", *(case for both in sizes for case in both), wrong).results[0]
    assert (one.verdict, told.verdict) == (Verdict.CONFIRMED, Verdict.PARTLY)
    assert [each.observation.notes[0].en for each in one.judged] == ["seq_len 1024 to 2048"] * 2


def test_a_case_that_one_run_lacks_is_not_missing_where_another_has_it() -> None:
    claim = article().claim("C9")
    assert claim is not None
    naive, flash = pair(1024, 3e-3, 1e-3)
    without = run_of([naive, failed(attention("flash", 1024, phase="forward_backward"), "error", "broke")])
    assert assess_claim(claim, [without]).results[0].missing
    assert not assess_claim(claim, [without, run_of([naive, flash])]).results[0].missing
    assert assess_claim(claim, [run_of([naive, flash]), without]).results[0].missing  # it has broken since
