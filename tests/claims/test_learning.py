"""From made-up training runs with known truth to verdicts: pairs of seeds, grids, targets never reached, lengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from tbench.claims import Assessment
from tbench.claims.verdict import Verdict
from tbench.records import Measurement
from tests.claims.runs import arm, case, judged, verdicts


def test_arms_are_compared_seed_by_seed() -> None:
    one = judged(
        "C15",
        arm("ladder", "-swiglu", [2.0, 2.1, 2.2, 2.3]),
        arm("ladder", "2024", [1.9, 2.001, 2.1, 2.199]),
        arm("ladder", "+rmsnorm", [2.1, 2.2, 2.3, 2.4]),
        arm("ladder", "+swiglu", [2.0, 2.101, 2.2, 2.299]),
        arm("ladder", "gelu", [2.2, None, 2.4, 2.5]),
    )
    assert verdicts(one)["SwiGLU"] is Verdict.CONFIRMED
    assert verdicts(one)["GELU"] is not Verdict.CONFIRMED
    gelu = next(result for result in one.results if result.regime.name.en == "GELU")
    assert "diverged: 1/4 runs (baseline: 0/4)" in gelu.judged[0].observation.notes[0].en


def test_a_change_is_averaged_over_what_makes_it() -> None:
    arms = {"+rmsnorm": [2.1, 2.2, 2.3], "+swiglu": [2.0, 2.1, 2.2], "-swiglu": [2.0, 2.1], "2024": [1.9, 2.02]}
    (seen,) = judged("C15", *(arm("ladder", name, losses) for name, losses in arms.items())).results[0].judged
    assert seen.observation.estimate.n == 2  # seeds that all four have
    assert seen.observation.estimate.value == pytest.approx(((0.1 + 0.1) / 2 + (0.1 + 0.08) / 2) / 2)
    assert seen.observation.notes[0].en == "+swiglu vs. +rmsnorm -0.100; 2024 vs. -swiglu -0.090"
    assert len(seen.observation.cases) == 4
    del arms["-swiglu"]
    (seen,) = judged("C15", *(arm("ladder", name, losses) for name, losses in arms.items())).results[0].judged
    assert seen.observation.notes[0].en == "+swiglu vs. +rmsnorm -0.100" and seen.observation.estimate.n == 3
    lost = Measurement(case("training", experiment="ladder", arm="2024", budget="full"), "error", "it raised")
    base = arm("ladder", "-swiglu", [2.0, 2.1])
    result = judged("C15", base, lost).results[0]
    assert not result.judged and result.missing[0].failed


def test_only_seeds_that_both_arms_have_are_pairs() -> None:
    base = arm("ladder", "2024", [2.0, 2.1, 2.2])
    tested = arm("ladder", "mqa", [2.1, 2.2, 2.3], seeds=[2, 3, 4])
    (seen,) = judged("C8", base, tested).results[1].judged
    assert seen.observation.estimate.n == 2
    assert seen.observation.estimate.value == pytest.approx(0.0)
    nothing = judged("C8", base, arm("ladder", "mqa", [2.1], seeds=[9]))
    assert nothing.results[1].missing[0].why.en == "no run shares its seed with the baseline"


def test_only_runs_at_the_chosen_rate_count() -> None:
    cells = {"seeds": [1, 1, 2, 2], "rates": [1e-3, 1e-2] * 2, "chosen": [True, False, False, True]}
    base = arm("ladder", "2024", [2.0, 9.0, 9.0, 2.2], **cells)
    (seen,) = judged("C8", base, arm("ladder", "mqa", [2.1, 9.0, 9.0, 2.2], **cells)).results[1].judged
    assert seen.observation.estimate.value == pytest.approx(0.05) and seen.observation.estimate.n == 2


def grid(post: Sequence[bool], pre: Sequence[bool], **more: Any) -> Assessment:
    """Five seeds of a grid of two rates, a decade apart, and two warm-ups; whether each run failed."""
    cells = {
        "rates": [1e-3, 1e-3, 1e-2, 1e-2] * 5,
        "warmups": [0.0, 0.1] * 10,
        "seeds": [seed for seed in range(1, 6) for _ in range(4)],
    }
    trained = {"trained_cells": sum(not any(post[cell::4]) for cell in range(4))}
    return judged(
        "C11",
        arm(
            "stability",
            "post",
            [3.3] * 20,
            **cells,
            failed=list(post),
            gradient_ratios=[8.0] * 4 + [8.2] * 16,
            **trained,
        ),
        arm("stability", "pre", [3.0] * 20, **cells, failed=list(pre), gradient_ratios=[1.0] * 4 + [1.1] * 16),
    )


def test_the_width_of_the_rates_that_train() -> None:
    """A rate stands for a decade here, and a cell for half of one: each warm-up has half of the say."""
    one = grid([False, True, True, True] * 5, [False] * 20)
    (seen,) = one.results[0].judged
    assert (seen.observation.estimate.value, seen.observation.estimate.n) == (1.5, 5)  # seeds, not cells of the grid
    assert seen.observation.notes[0].en == "2 decades, baseline 0.5"
    assert one.verdict is Verdict.CONFIRMED
    assert one.results[2].judged[0].observation.estimate.n == 5
    assert grid([True, True, False, False] * 5, [False, True, False, False] * 5).verdict is Verdict.INCONCLUSIVE  # .5
    assert grid([False] * 20, [False] * 20).verdict is Verdict.INCONCLUSIVE  # a cell of the grid is half a decade
    assert grid([False] * 20, [True] * 20).verdict is Verdict.REFUTED


def test_a_baseline_that_trains_nowhere_says_nothing() -> None:
    one = grid([True] * 20, [False] * 20)
    assert one.verdict is Verdict.INCONCLUSIVE
    (seen,) = one.results[0].judged
    assert seen.judgement.note.en.startswith("required: post-norm trains in at least one setting; train longer")


def curves(*ends: float, steps: float = 1.0) -> dict[str, Any]:
    """A run for each end: from byte frequencies (3.2) down to it in a straight line of 100 · `steps` steps, and on."""
    taken = [0.0, 100.0 * steps, 1000.0]
    return {
        "unigram_loss": 3.2,
        "curve_steps": [taken for _ in ends],
        "curve_losses": [[3.2, end, end - 0.01] for end in ends],
    }


def test_steps_to_several_losses() -> None:
    slow, fast = curves(2.0, 2.01, 1.99), curves(2.0, 2.01, 1.99, steps=0.5)
    one = judged("C12", arm("ladder", "2017", [2.0] * 3, **slow), arm("ladder", "+pre-norm", [2.0] * 3, **fast))
    seen = one.results[0].judged
    assert [place for judged_ in seen for place in judged_.label] == [("learned", at) for at in (0.5, 0.7, 0.9)]
    assert all(each.observation.estimate.value == pytest.approx(2, rel=0.01) for each in seen)
    assert one.results[0].verdict is Verdict.CONFIRMED
    assert seen[-1].observation.notes[0].en == "to 2.11 nats"


def test_targets_that_disagree_leave_it_open() -> None:
    slow = curves(2.0, 2.01, 1.99)
    crossing = {**slow, "curve_losses": [[3.2, 2.45, 1.9]] * 3, "curve_steps": [[0, 20, 300]] * 3}
    one = judged("C12", arm("ladder", "2017", [2.0] * 3, **slow), arm("ladder", "+pre-norm", [1.9] * 3, **crossing))
    values = [each.observation.estimate.value for each in one.results[0].judged]
    assert values[0] > 1.05 and values[-1] < 0.95
    assert one.results[0].verdict is Verdict.INCONCLUSIVE
    notes = [each.judgement.note.en for each in one.results[0].judged]
    assert notes[0] == notes[-1] == "the points disagree"


def test_runs_that_never_get_there() -> None:
    ends = [2.0, 2.01, 1.99, 2.0, 2.02, 1.98]
    slow, fast = curves(*ends), curves(*ends, steps=0.5)
    stuck = {**fast, "curve_losses": [[3.2, 3.19, 3.19], *fast["curve_losses"][1:]]}
    tested = arm("ladder", "+pre-norm", [2.0] * 6, **stuck)
    one = judged("C12", arm("ladder", "2017", [2.0] * 6, **slow), tested).results[0]
    assert one.verdict is Verdict.INCONCLUSIVE and one.judged[0].observation.estimate.low == 0.0
    nowhere = arm("ladder", "+pre-norm", [3.3] * 6, **curves(*[3.25] * 6))
    result = judged("C12", arm("ladder", "2017", [2.0] * 6, **slow), nowhere).results[0]
    assert not result.judged and result.missing[0].tried


def test_time_is_steps_at_the_arms_own_pace() -> None:
    slow, fast = curves(2.0, 2.01, 1.99), curves(2.0, 2.01, 1.99, steps=0.5)
    first = arm("ladder", "2017", [2.0] * 3, **slow, pace=1.0)
    one = judged("C21", first, arm("ladder", "+rmsnorm", [2.0] * 3, **fast, pace=1.6))
    assert one.results[0].judged[0].observation.estimate.value == pytest.approx(1.25, rel=0.01)
    assert one.results[1].judged[0].observation.estimate.value == pytest.approx(2, rel=0.01)


def test_equal_rates_are_compared_rate_by_rate() -> None:
    cells = {"seeds": [1, 1, 2, 2], "rates": [1e-3, 1e-2] * 2, "warmups": [0.0] * 4, "failed": [False] * 4}
    ends = (2.0, 2.2, 2.0, 2.2)
    post = arm("stability", "post", list(ends), **cells, **curves(*ends), trained_cells=2)
    pre = arm("stability", "pre", list(ends), **cells, **curves(*ends, steps=0.5))
    (result,) = [one for one in judged("C12", post, pre).results if one.regime.equal_rates]
    assert result.verdict is Verdict.CONFIRMED and result.judged[0].observation.estimate.n == 2


def test_answers_beyond_the_windows_need_windows_that_fail() -> None:
    def recall(full: float, local: float, alternating: float) -> Verdict:
        right = {"full": full, "local": local, "alternating": alternating}
        arms = [arm("recall", name, [0.1] * 3, accuracies=[share] * 3) for name, share in right.items()]
        return verdicts(judged("C4", *arms))["answers beyond the windows"]

    assert recall(1.0, 0.06, 0.99) is Verdict.CONFIRMED
    assert recall(1.0, 0.06, 0.5) is Verdict.REFUTED
    assert recall(1.0, 0.9, 1.0) is recall(0.5, 0.06, 1.0) is Verdict.INCONCLUSIVE


def test_the_pilot_of_the_position_experiment() -> None:
    """Nats per byte as the pilot found them: RoPE usable a little beyond, lost at twice; sinusoidal lost at once."""

    def windows(*nats: float) -> dict[str, list[float]]:
        names = ("1", "1.25", "1.5", "2")
        return {f"loss_at_{name}": [one, one + 0.01, one - 0.01] for name, one in zip(names, nats, strict=True)}

    rope = arm("position", "rope", [1.4] * 3, **windows(1.37, 1.39, 1.43, 2.96))
    sinusoidal = arm("position", "sinusoidal", [1.4] * 3, **windows(1.38, 4.1, 4.2, 4.3))
    one = judged("C17", rope, sinusoidal, arm("position", "none", [1.6, 1.61, 1.59]))
    assert one.verdict is Verdict.REFUTED  # the article's own point decides
    assert verdicts(one)["better than sinusoidal"] is Verdict.CONFIRMED
    values = [seen.observation.estimate.value for seen in (*one.results[1].judged, *one.results[0].judged)]
    assert values == [pytest.approx(1.0202, rel=1e-3), pytest.approx(1.0618, rel=1e-3), pytest.approx(4.904, rel=1e-3)]
    unused = judged("C17", rope, sinusoidal, arm("position", "none", [1.41, 1.4, 1.42]))
    assert unused.verdict is Verdict.INCONCLUSIVE
    assert "RoPE learns more than no positions" in unused.results[0].judged[0].judgement.note.en
    assert judged("C17", rope, sinusoidal).verdict is Verdict.INCONCLUSIVE  # nobody knows whether it uses them


def test_interpolated_positions_are_read_from_the_same_runs() -> None:
    pressed = {f"interpolated_at_{at}": [1.5] * 3 for at in ("1", "1.25", "1.5", "2", "4")}
    rope = arm("position", "rope", [1.4] * 3, **{"loss_at_1": [1.4] * 3, "loss_at_2": [3.0] * 3}, **pressed)
    result = next(one for one in judged("C17", rope).results if one.regime.of == "interpolated")
    assert [one.observation.estimate.value for one in result.judged] == [pytest.approx(math.exp(0.1))] * 4


def test_a_table_that_refuses_is_what_was_claimed() -> None:
    learned = arm("beyond-table", "learned", [2.0], refused=True)
    long = {"loss_at_1": [2.0] * 3, "loss_at_1.5625": [4.0, 4.1, 3.9]}
    short = {"loss_at_1": [2.0] * 3, "loss_at_1.5": [4.0, 4.1, 3.9]}
    arms = [
        learned,
        arm("beyond-table", "sinusoidal", [2.0] * 3, **long),
        arm("position", "sinusoidal", [2.0] * 3, **short),
    ]
    without = [arm(name, "none", [2.2, 2.21, 2.19]) for name in ("beyond-table", "position")]
    assert judged("C19", *arms, *without).verdict is Verdict.CONFIRMED
    unused = judged("C19", *arms, arm("beyond-table", "none", [2.0, 2.01, 1.99]), without[1])
    assert [result.verdict for result in unused.results] == [
        Verdict.CONFIRMED,
        Verdict.INCONCLUSIVE,
        Verdict.CONFIRMED,
    ]


def test_a_learning_rate_at_the_edge_of_those_tried_is_said() -> None:
    tried = {"tried_rates": [3e-3, 1e-2, 3e-2]}
    base = arm("ladder", "2024", [2.0, 2.1], rate=1e-2, **tried)
    (seen,) = judged("C8", base, arm("ladder", "mqa", [2.0, 2.1], rate=3e-2, **tried)).results[1].judged
    (note,) = seen.observation.notes
    assert note.en == "the best learning rate is the largest one tried for mqa: the optimum may lie beyond"
    (seen,) = judged("C8", base, arm("ladder", "mqa", [2.0, 2.1], rate=1e-2, **tried)).results[1].judged
    assert not seen.observation.notes


def test_the_loss_half_way_is_told_beside_that_of_the_end() -> None:
    old = arm("ladder", "2017", [2.0, 2.0], curve_steps=[[0, 50, 100]] * 2, curve_losses=[[6.0, 3.0, 2.0]] * 2)
    new = arm("ladder", "2024", [1.9, 1.9], curve_steps=[[0, 50, 100]] * 2, curve_losses=[[6.0, 2.5, 1.9]] * 2)
    found = {one.regime.name.en: one for one in judged("C20", old, new).results}
    assert found["quality at half of the steps"].judged[0].observation.estimate.value == pytest.approx(0.5)
    assert found["quality at equal parameters"].judged[0].observation.estimate.value == pytest.approx(0.1)
