"""From made-up training runs with known truth to verdicts: pairs of seeds, grids, targets never reached, lengths."""

from __future__ import annotations

import pytest

from tbench.claims import Assessment
from tbench.claims.verdict import Verdict
from tbench.claims.words import verdict_words
from tests.claims.runs import arm, judged, verdicts


def test_arms_are_compared_seed_by_seed() -> None:
    one = judged(
        "C15",
        arm("activation", "relu", [2.0, 2.1, 2.2, 2.3]),
        arm("activation", "swiglu", [1.9, 2.001, 2.1, 2.199]),
        arm("activation", "gelu", [2.2, None, 2.4, 2.5]),
    )
    assert verdicts(one)["SwiGLU"] is Verdict.CONFIRMED
    assert verdicts(one)["GELU"] is not Verdict.CONFIRMED
    gelu = next(result for result in one.results if result.regime.name.en == "GELU")
    assert "diverged: 1/4 runs (baseline: 0/4)" in gelu.judged[0].observation.notes[0].en


def test_only_seeds_that_both_arms_have_are_pairs() -> None:
    base = arm("norm", "layernorm", [2.0, 2.1, 2.2])
    tested = arm("norm", "rmsnorm", [2.1, 2.2, 2.3], seeds=[2, 3, 4])
    (seen,) = judged("C14", base, tested).results[0].judged
    assert seen.observation.estimate.n == 2
    assert seen.observation.estimate.value == pytest.approx(0.0)
    nothing = judged("C14", base, arm("norm", "rmsnorm", [2.1], seeds=[9]))
    assert nothing.results[0].missing[0].why.en == "no run shares its seed with the baseline"


def test_a_grid_is_paired_by_rate_and_warm_up() -> None:
    grid = {"seeds": [1] * 8, "rates": [1e-3, 1e-3, 1e-2, 1e-2] * 2, "warmups": [0.0, 0.1] * 4}
    grid["seeds"] = [1] * 4 + [2] * 4
    failed, not_failed = {"failed": [True] * 7 + [False]}, {"failed": [False] * 8}
    post = arm("stability", "post", [3.3] * 7 + [3.0], **grid, **failed, gradient_ratios=[8.0] * 4 + [8.2] * 4)
    pre = arm("stability", "pre", [3.0] * 8, **grid, **not_failed, gradient_ratios=[1.0] * 4 + [1.1] * 4)
    one = judged("C11", post, pre)
    (seen,) = one.results[0].judged
    assert (seen.observation.estimate.value, seen.observation.estimate.n) == (7 / 8, 8)
    assert seen.observation.notes[0].en == "failed: 0/8 runs (baseline: 7/8)"
    assert one.verdict is Verdict.CONFIRMED
    assert verdicts(one)["runs that diverge"] is not Verdict.CONFIRMED  # told apart: none of them did
    assert one.results[2].judged[0].observation.estimate.n == 2  # seeds, not cells of the grid


def test_steps_to_a_target_and_runs_that_never_get_there() -> None:
    def seen(base: list[float | None], tested: list[float | None]) -> Assessment:
        runs = [2.0] * len(base)
        return judged(
            "C12",
            arm("convergence", "post-layernorm", runs, steps_to_reach=base),
            arm("convergence", "pre-layernorm", runs, steps_to_reach=tested),
        )

    assert seen([200, 210, 190], [100, 101, 99]).results[0].verdict is Verdict.CONFIRMED
    six: list[float | None] = [200, 210, 190, 205, 195, 200]
    assert seen(six, [None] * 6).results[0].verdict is Verdict.REFUTED
    assert seen([None] * 6, six).results[0].verdict is Verdict.CONFIRMED
    assert seen(six, [None, *([100] * 5)]).results[0].verdict is Verdict.INCONCLUSIVE
    assert seen([*six] * 2, [None, *([100] * 11)]).results[0].verdict is Verdict.CONFIRMED
    few = seen([200, 210, 190], [None, None, None]).results[0].judged[0].judgement  # as three coins may fall
    assert (few.verdict, few.more) == (Verdict.INCONCLUSIVE, 3)
    assert seen([200, 210, 190], [100, 101, None]).results[0].verdict is Verdict.INCONCLUSIVE
    assert seen([None, None, None], [None, None, None]).results[0].verdict is Verdict.NOT_MEASURED
    assert seen([200, None], [None, 100]).results[0].verdict is Verdict.INCONCLUSIVE
    assert seen([200, None, 210, None], [None, 100, 105, None]).results[0].verdict is Verdict.INCONCLUSIVE


def test_the_pilot_of_the_position_experiment() -> None:
    """Nats per byte as the pilot found them: RoPE usable a little beyond, lost at twice; sinusoidal lost at once."""

    def windows(*nats: float) -> dict[str, list[float]]:
        names = ("1", "1.25", "1.5", "2")
        return {f"loss_at_{name}": [one, one + 0.01, one - 0.01] for name, one in zip(names, nats, strict=True)}

    one = judged(
        "C17",
        arm("position", "rope", [1.4] * 3, **windows(1.37, 1.39, 1.43, 2.96)),
        arm("position", "sinusoidal", [1.4] * 3, **windows(1.38, 4.1, 4.2, 4.3)),
    )
    assert one.verdict is Verdict.PARTLY
    assert verdict_words(one, "en") == (
        "confirmed: RoPE beyond the trained length at 1.25×, better than sinusoidal; "
        "partly: RoPE beyond the trained length at 1.5×; refuted: RoPE beyond the trained length at 2×"
    )  # nothing of four times, which was not measured
    values = [seen.observation.estimate.value for seen in one.results[0].judged]
    assert values == [pytest.approx(1.0202, rel=1e-3), pytest.approx(1.0618, rel=1e-3), pytest.approx(4.904, rel=1e-3)]


def test_a_table_that_refuses_is_what_was_claimed() -> None:
    learned = arm("beyond-table", "learned", [2.0], refused=True)
    sinusoidal = arm(
        "beyond-table", "sinusoidal", [2.0] * 3, **{"loss_at_1": [2.0] * 3, "loss_at_1.5625": [4.0, 4.1, 3.9]}
    )
    shorter = arm("position", "sinusoidal", [2.0] * 3, **{"loss_at_1": [2.0] * 3, "loss_at_1.5": [4.0, 4.1, 3.9]})
    assert judged("C19", learned, sinusoidal, shorter).verdict is Verdict.CONFIRMED


def test_a_learning_rate_at_the_edge_of_those_tried_is_said() -> None:
    tried = {"tuning_rates": [3e-3, 1e-2, 3e-2], "tuning_losses": [2.2, 2.1, 2.0]}
    base = arm("norm", "layernorm", [2.0, 2.1], rate=1e-2, **tried)
    (seen,) = judged("C14", base, arm("norm", "rmsnorm", [2.0, 2.1], rate=3e-2, **tried)).results[0].judged
    (note,) = seen.observation.notes
    assert note.en == "the best learning rate is the largest one tried for rmsnorm: the optimum may lie beyond"
    (seen,) = judged("C14", base, arm("norm", "rmsnorm", [2.0, 2.1], rate=1e-2, **tried)).results[0].judged
    assert not seen.observation.notes
