"""When a case has been measured enough: the verdicts on it stand, and only then."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tbench.claims import article
from tbench.claims.assess import assess_claim
from tbench.claims.model import Range
from tbench.claims.standing import Comparison, decided, standing
from tbench.claims.verdict import Verdict
from tbench.records import Measurement, Turn
from tests.claims.runs import run_of
from tests.synthetic import attention

PHASE = "forward_backward"
NAIVE, COMPILED, FLASH = (attention(kernel, 1024, phase=PHASE) for kernel in ("naive", "naive-compiled", "flash"))
WINDOW = attention("flex", 1024, pattern="window:256", phase=PHASE)


def timed(kernel: str, seconds: float, rounds: int = 5, spread: float = 0.01, seed: int = 0) -> Measurement:
    """A case of `rounds` processes with two turns each; their times differ by about `spread`."""
    rng = random.Random(f"{kernel} {seed}")
    turns = []
    for number in range(rounds):
        process = rng.gauss(0, spread)
        turns += [Turn(number, turn, 1, (seconds * (1 + process + rng.gauss(0, spread)),)) for turn in (0, 1)]
    case = attention(kernel, 1024, phase=PHASE)
    return Measurement(case, "ok", baseline=NAIVE.id, turns=tuple(turns), error=0.0, error_limit=1e-4)


def test_verdicts_far_from_a_border_stand_and_those_on_it_do_not() -> None:
    stands = standing(article(), [NAIVE, FLASH])
    far = {NAIVE: timed("naive", 3e-3), FLASH: timed("flash", 1e-3)}
    assert stands(FLASH, far, 2) is True
    assert stands(NAIVE, far, 2) is True  # the baseline's verdicts are those of all compared with it
    near = {NAIVE: timed("naive", 2e-3, spread=0.05), FLASH: timed("flash", 1e-3, spread=0.05)}
    assert stands(FLASH, near, 2) is False


def test_how_times_grow_is_not_cut_short() -> None:
    """The exponent is taken from the two longest; both go on for as long as their own precision wants."""
    lengths = [attention(kernel, n, phase=PHASE) for n in (512, 1024, 2048) for kernel in ("naive", "flash")]
    stands = standing(article(), lengths)
    far = {NAIVE: timed("naive", 3e-3), FLASH: timed("flash", 1e-3)}
    assert stands(FLASH, far, 2) is False
    only = standing(article(), [NAIVE, FLASH, *(attention("flash", 2**n, phase=PHASE) for n in (12, 13))])
    assert only(FLASH, far, 2) is True


def test_more_looks_ask_for_more() -> None:
    """The interval of each is wider, so that all together err as often as one. So is that of one verdict of many."""
    one = Comparison(FLASH, (NAIVE,), Range(2.0))
    cases = [
        {NAIVE: timed("naive", 2.1e-3, spread=0.02, seed=seed), FLASH: timed("flash", 1e-3, spread=0.02, seed=seed)}
        for seed in range(100)
    ]
    alone, asked_thrice = ({n for n, case in enumerate(cases) if decided(one, case, looks)} for looks in (1, 3))
    one_of_ten = {n for n, case in enumerate(cases) if decided(replace(one, family=10), case, 1)}
    assert one_of_ten < asked_thrice < alone


def test_a_false_verdict_stands_seldom() -> None:
    """A speed-up just short of 2, asked after 5 and 8 rounds: confirmed at either in 2.5% at most."""
    wrong = 0
    one = Comparison(FLASH, (NAIVE,), Range(2.0))
    for seed in range(1000):
        naive, flash = (timed(k, s, 8, 0.02, seed) for k, s in (("naive", 2e-3), ("flash", 1e-3)))
        for rounds in (5, 8):
            measured = {
                case.case: Measurement(case.case, "ok", turns=case.turns[: 2 * rounds], error=0.0, error_limit=1e-4)
                for case in (naive, flash)
            }
            ratios_above = decided(one, measured, 2)
            if ratios_above:
                mean = sum(t.seconds[0] for t in measured[NAIVE].turns) / sum(
                    t.seconds[0] for t in measured[FLASH].turns
                )
                wrong += mean > 2
                break
    assert wrong <= 25


def test_of_several_baselines_the_fastest_decides() -> None:
    """Naive is 3 times as slow, beyond doubt; the compiled one is too near the border, and it is what counts."""
    stands = standing(article(), [NAIVE, COMPILED, FLASH])
    measured = {
        NAIVE: timed("naive", 3e-3),
        COMPILED: timed("naive-compiled", 2e-3, spread=0.05),
        FLASH: timed("flash", 1e-3, spread=0.05),
    }
    assert stands(FLASH, measured, 2) is False
    assert stands(FLASH, {one: measured[one] for one in (NAIVE, FLASH)}, 2) is True


def test_what_nothing_compares_is_left_to_its_own_precision() -> None:
    stands = standing(article(), [NAIVE, FLASH, WINDOW])
    assert stands(WINDOW, {NAIVE: timed("naive", 3e-3)}, 2) is None
    assert stands(FLASH, {FLASH: timed("flash", 1e-3)}, 2) is None  # its baseline has failed, or is not beside it
    assert stands(FLASH, {NAIVE: timed("naive", 3e-3, 1), FLASH: timed("flash", 1e-3, 1)}, 2) is False


@pytest.mark.parametrize("factor", [0.7, 1.3, 3.0, 6.0])
def test_what_stands_is_what_the_table_says(factor: float) -> None:
    measured = {NAIVE: timed("naive", factor * 1e-3), FLASH: timed("flash", 1e-3)}
    assert standing(article(), list(measured))(FLASH, measured, 2) is True
    claim = article().claim("C9")
    assert claim is not None
    seen = assess_claim(claim, [run_of(list(measured.values()))]).results[0].judged
    assert [one.judgement.verdict for one in seen] != [Verdict.INCONCLUSIVE] and seen
