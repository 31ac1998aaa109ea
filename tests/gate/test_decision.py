"""The gate's decisions on synthetic differences where the truth is known: how often they err, and what they see."""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.analysis.signed_rank import upper
from tbench.gate.decision import (
    LOOKS,
    RIGOROUS,
    Evidence,
    Rule,
    cleared,
    inside,
    judge,
    open_after_first_look,
    pairs_to_confirm,
    rule_for,
    screening_goes_on,
    wants_more_screening,
    with_tolerance,
)
from tbench.gate.simulation import KINDS, Draw, bimodal, drift, noise_of, noisy, normal, simulated, verdicts

RULE = Rule()
RUNS = 400


def gate(draws: dict[str, Draw], rule: Rule = RULE) -> dict[str, str]:
    """A whole run on differences that `draws` give."""
    return dict(verdicts(draws, rule))


def heavy(chance: random.Random, slowdown: float, spread: float) -> Draw:
    """One pair in ten is disturbed, on either side."""
    return lambda: (
        math.log1p(slowdown) + (chance.gauss(0, 8 * spread) if chance.random() < 0.1 else chance.gauss(0, spread))
    )


@pytest.mark.parametrize("noise", [normal, heavy])
@pytest.mark.parametrize("spread", [0.01, 0.045, 0.1])
def test_the_same_code_is_never_called_slower(noise: Callable[..., Draw], spread: float) -> None:
    chance = random.Random(11)
    seen = Counter(
        verdict for _ in range(RUNS) for verdict in gate({name: noise(chance, 0.0, spread) for name in "abc"}).values()
    )
    assert seen["SLOWER"] + seen["FASTER"] <= RUNS * 0.005
    if spread <= 0.045:
        assert seen["OK"] / sum(seen.values()) > 0.95


def test_even_at_the_tolerance_itself_a_run_errs_as_seldom_as_it_says() -> None:
    chance = random.Random(12)
    edge = {name: normal(chance, RULE.tolerance, 0.045) for name in "abcde"}
    wrong = sum("SLOWER" in gate(edge).values() for _ in range(RUNS))
    assert wrong / RUNS < RULE.alpha + 3 * math.sqrt(RULE.alpha / RUNS)


@pytest.mark.parametrize(("slowdown", "least"), [(0.10, 0.96), (0.20, 0.99)])
@pytest.mark.parametrize("spread", [0.02, 0.045])
def test_a_slowdown_is_found_and_nothing_else_is(slowdown: float, least: float, spread: float) -> None:
    chance = random.Random(13)
    found = others = 0
    for _ in range(RUNS):
        seen = gate({"target": normal(chance, slowdown, spread)} | {n: normal(chance, 0.0, spread) for n in "ab"})
        found += seen.pop("target") == "SLOWER"
        others += "SLOWER" in seen.values()
    assert found / RUNS >= least
    assert others == 0


def test_three_per_cent_are_tolerated() -> None:
    chance = random.Random(14)
    red = sum(gate({"a": normal(chance, 0.03, 0.045)})["a"] == "SLOWER" for _ in range(RUNS))
    assert red / RUNS < 0.01


def test_a_speed_up_is_called_so() -> None:
    chance = random.Random(15)
    seen = Counter(gate({"a": normal(chance, -0.2, 0.045)})["a"] for _ in range(100))
    assert seen["FASTER"] >= 97
    assert not seen["SLOWER"]


def test_noise_that_hides_everything_stays_open_and_says_what_it_would_take() -> None:
    chance = random.Random(16)
    evidence = Evidence([chance.gauss(0, 0.6) for _ in range(RULE.look_on)])
    found = judge({"a": evidence}, RULE)["a"]
    assert found.verdict == "INCONCLUSIVE"
    assert found.more is not None
    assert found.more > 40
    assert found.detectable > 0.5


def test_a_confirmation_stands_on_fresh_pairs_alone() -> None:
    lucky = Evidence(screen=[0.2] * 6, confirm=[0.001 * k for k in range(-6, 7)], planned=13)
    assert judge({"a": lucky}, RULE)["a"].verdict == "OK"
    shown = Evidence([0.2] * 6, [0.3 + 0.001 * k for k in range(12)], planned=12)
    assert judge({"a": shown}, RULE)["a"].verdict == "SLOWER"


def test_what_a_first_look_shows_stands_and_what_it_leaves_open_gets_a_second() -> None:
    shown, hidden = [0.3 + 0.001 * k for k in range(12)], [0.05, 0.2, -0.1, 0.16] * 3
    cases = {name: Evidence([0.2] * 6, list(pairs), planned=12) for name, pairs in (("s", shown), ("h", hidden))}
    assert open_after_first_look(cases, RULE) == {"h"}
    assert judge(cases, RULE)["h"].verdict == "INCONCLUSIVE"
    cases["h"].confirm += [0.15 + 0.001 * k for k in range(48)]
    assert {name: found.verdict for name, found in judge(cases, RULE).items()} == {"s": "SLOWER", "h": "SLOWER"}
    cases["h"].confirm[12:] = [-0.001 * k for k in range(48)]
    assert judge(cases, RULE)["h"].verdict == "OK"


def test_a_suspect_that_is_cleared_goes_no_further() -> None:
    tolerated = Evidence([0.2] * 6, [0.001 * k for k in range(-6, 6)], planned=20)
    assert open_after_first_look({"a": tolerated}, RULE) == set()


@given(st.floats(0.001, 0.5), st.integers(1, 20))
def test_confirmations_take_as_many_pairs_as_the_rule_allows(spread: float, suspects: int) -> None:
    evidence = Evidence(screen=[spread, -spread, spread, -spread])
    assert RULE.least <= pairs_to_confirm(evidence, RULE, suspects) <= RULE.most
    assert pairs_to_confirm(evidence, RULE, suspects) <= pairs_to_confirm(evidence, RULE, suspects + 1)


def test_an_earlier_calibration_can_only_add_pairs() -> None:
    steady = [0.03, 0.031, 0.029, 0.03, 0.03, 0.03]
    assert pairs_to_confirm(Evidence(steady, sigma=0.08), RULE, 1) > pairs_to_confirm(Evidence(steady), RULE, 1)


def test_a_tolerance_brings_its_effect_along() -> None:
    assert with_tolerance(RULE, 0.02).effect == 0.04
    assert inside([0.01] * 6, RULE)
    assert not inside([0.01] * 6, with_tolerance(RULE, 0.005))


def test_however_many_slow_down_at_once_all_are_shown() -> None:
    cases = {f"{n}": Evidence([0.7 + 0.001 * k for k in range(6)]) for n in range(200)}
    for one in cases.values():
        one.planned = pairs_to_confirm(one, RULE, len(cases))
        one.confirm += [0.7 + 0.001 * k for k in range(one.planned)]
    assert {found.verdict for found in judge(cases, RULE).values()} == {"SLOWER"}


def test_pairs_to_confirm_are_as_many_as_there_is_time_for_but_never_too_few_to_tell() -> None:
    wild = Evidence([0.2, -0.1, 0.3, 0.1, -0.05, 0.15])
    assert pairs_to_confirm(wild, RULE, 1) == RULE.most
    assert pairs_to_confirm(wild, RULE, 1, affordable=30.7) == 30
    assert pairs_to_confirm(wild, RULE, 1, affordable=0.0) == RULE.least
    assert pairs_to_confirm(wild, RULE, 200, affordable=0.0) == math.ceil(math.log2(200 / RULE.alpha_of_a_look))


def test_a_run_has_time_for_each_of_its_cases_and_a_minute_at_least() -> None:
    assert RULE.allowance(1) == 60
    assert RULE.allowance(21) == 21 * RULE.seconds < 300
    assert not screening_goes_on(Evidence([0.0, 0.2, -0.2, 0.1, -0.1, 0.0]), RULE, late=True)
    assert screening_goes_on(Evidence([0.0, 0.2, -0.2, 0.1, -0.1, 0.0]), RULE)
    assert screening_goes_on(Evidence([0.0]), RULE, late=True)


def test_a_quick_run_has_less_time_and_a_rigorous_one_more_whatever_else_was_asked() -> None:
    assert rule_for(quick=True).allowance(1) < rule_for().allowance(1) < rule_for(rigorous=True).allowance(1)
    assert rule_for(quick=True, rigorous=True) == RIGOROUS
    assert rule_for() == RULE


def rules() -> st.SearchStrategy[Rule]:
    """Any rule whose numbers are in order."""
    numbers = st.lists(st.integers(1, 200), min_size=4, max_size=4).map(sorted)
    return numbers.map(lambda n: Rule(screen=n[0], look_on=n[1], least=n[2], most=n[3]))


@given(rules(), st.integers(1, 300))
def test_looks_rise_from_the_first_pairs_to_the_most(rule: Rule, planned: int) -> None:
    screening, confirmation = rule.screening_looks, rule.confirmation_looks(planned)
    for looks in (screening, confirmation):
        assert all(one < other for one, other in pairwise(looks))
    assert (screening[0], screening[-1]) == (rule.screen, rule.most)
    assert {rule.least, planned} <= set(confirmation)
    assert confirmation[-1] == max(planned, rule.most, rule.least)


@given(rules(), st.integers(1, 300))
def test_no_way_that_a_case_can_take_has_more_looks_than_four(rule: Rule, planned: int) -> None:
    never_accused = len(rule.screening_looks)
    accused_late = sum(pairs < rule.look_on for pairs in rule.screening_looks) + len(rule.confirmation_looks(planned))
    assert max(never_accused, accused_late) <= LOOKS


@given(rules(), st.integers(1, 300))
def test_a_look_errs_with_its_share_and_the_first_with_what_six_pairs_can_have(rule: Rule, pairs: int) -> None:
    assert sum(rule.ok_alpha_of_a_look(n) for n in (rule.screen, *(rule.screen + k for k in (1, 2, 3)))) == (
        pytest.approx(rule.ok_alpha)
    )
    assert 0 < rule.ok_alpha_of_a_look(pairs) <= 1 / 64
    assert inside([0.01] * 6, RULE)  # a quiet machine needs no more


@pytest.mark.parametrize("rule", [RULE, RIGOROUS], ids=["default", "rigorous"])
def test_an_ok_is_asked_for_at_the_looks_and_never_between(rule: Rule) -> None:
    calm = [0.001 * (-1) ** k for k in range(rule.most)]
    for pairs in range(rule.screen, rule.look_on + 1):
        asked = pairs in rule.screening_looks
        assert screening_goes_on(Evidence(calm[:pairs]), rule) is not asked
    for pairs in range(rule.look_on, rule.most):
        assert wants_more_screening(Evidence(calm[:pairs]), rule) is (pairs not in rule.screening_looks)
    planned = rule.least + 5
    for pairs in range(1, rule.most + 1):
        assert cleared(Evidence([0.2], calm[:pairs], planned=planned), rule) is (
            pairs in rule.confirmation_looks(planned)
        )


def test_what_is_open_after_the_last_look_is_not_asked_about_again_with_less() -> None:
    """Of 60 pairs that show the tolerance at 95% but not at a look's level, the verdict is none."""
    chance = random.Random(3)
    draws = ([chance.gauss(0.036, 0.045) for _ in range(60)] for _ in range(400))
    close = next(one for one in draws if upper(one, 0.95) < RULE.bar and not inside(one, RULE))
    assert judge({"a": Evidence(close)}, RULE)["a"].verdict == "INCONCLUSIVE"
    assert judge({"a": Evidence([0.2] * 6, close, planned=12)}, RULE)["a"].verdict == "INCONCLUSIVE"


def test_a_case_at_the_tolerance_is_seldom_called_ok() -> None:
    chance = random.Random(17)
    seen = sum(gate({"a": normal(chance, RULE.tolerance, 0.045)})["a"] == "OK" for _ in range(RUNS))
    assert seen / RUNS < RULE.ok_alpha + 2 * math.sqrt(RULE.ok_alpha / RUNS)  # asked after every pair: 21% and more


def test_two_per_cent_are_ok() -> None:
    chance = random.Random(18)
    assert sum(gate({"a": normal(chance, 0.02, 0.045)})["a"] == "OK" for _ in range(RUNS)) / RUNS >= 0.98


def test_what_is_neither_suspect_nor_ok_waits_until_the_suspects_are_confirmed() -> None:
    order: list[str] = []

    def logged(name: str, draw: Draw) -> Draw:
        def drawn() -> float:
            order.append(name)
            return draw()

        return drawn

    chance = random.Random(19)
    wide = iter([0.1, -0.09, 0.08, -0.1, 0.09, -0.08] * 2)  # no median, and no bound either
    calm = normal(chance, 0.0, 0.01)
    slow, wide_at_first = logged("s", normal(chance, 0.2, 0.02)), logged("w", lambda: next(wide, calm()))
    found = simulated({"slow": slow, "w": wide_at_first}, RULE)
    assert len(found["slow"].evidence.confirm) >= RULE.least
    assert len(found["w"].evidence.screen) in RULE.screening_looks[2:]
    assert not found["w"].evidence.confirm
    confirmed = order.index("w", len(order) - 1 - order[::-1].index("s"))  # the first of w after the last of s
    assert order[confirmed:] == ["w"] * (len(found["w"].evidence.screen) - RULE.look_on)


@pytest.mark.parametrize("kind", KINDS)
def test_injected_noise_is_work_that_is_added_and_repeats_with_its_seed(kind: str) -> None:
    first, again = noise_of(kind, 5), noise_of(kind, 5)
    drawn = [next(first) for _ in range(2000)]
    assert drawn == [next(again) for _ in range(2000)]
    assert all(base >= 0 and new >= 0 for base, new in drawn)
    assert any(base != new for base, new in drawn) is (kind != "drift")
    with pytest.raises(ValueError, match="one-sided drift"):
        noise_of("hail", 1)


def test_noise_is_as_it_is_described() -> None:
    chance = random.Random(6)
    modes = bimodal(chance, 0.3, 0.1)
    slow = [new for _, new in (next(modes) for _ in range(4000))]
    assert set(slow) == {0.0, 0.1}
    assert slow.count(0.1) / len(slow) == pytest.approx(0.3, abs=0.03)
    wander = drift(chance, both=False, rho=0.9, wander=0.04, level=0.5)
    offsets = [new - base for base, new in (next(wander) for _ in range(20_000))]
    assert statistics.pstdev(offsets) == pytest.approx(0.04, rel=0.1)
    assert statistics.correlation(offsets[:-1], offsets[1:]) == pytest.approx(0.9, abs=0.03)


def test_processes_with_two_speeds_never_make_the_same_code_red() -> None:
    chance = random.Random(20)
    seen = Counter(gate({"a": noisy(normal(chance, 0.0, 0.025), bimodal(chance))})["a"] for _ in range(RUNS // 2))
    assert not seen["SLOWER"]
