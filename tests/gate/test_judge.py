"""The gate's decisions on synthetic differences where the truth is known: how often they err, and what they see."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbench.gate.judge import (
    Evidence,
    cleared,
    inside,
    judged,
    open_after_first_look,
    suspicion,
    to_confirm,
    undecided,
)
from tbench.gate.rule import Rule, with_tolerance

RULE = Rule()
RUNS = 400
Draw = Callable[[], float]


def gate(draws: dict[str, Draw], rule: Rule = RULE) -> dict[str, str]:
    """A whole run on differences that `draws` give."""
    cases = {name: Evidence() for name in draws}
    for name, one in cases.items():
        while undecided(one, rule):
            one.screen.append(draws[name]())
    suspects = {name: one for name, one in cases.items() if suspicion(one.screen, rule)}
    for one in suspects.values():
        one.planned = to_confirm(one, rule, len(suspects))
    confirm(draws, suspects, {name: one.planned for name, one in suspects.items()}, rule)
    further = open_after_first_look(suspects, rule)
    confirm(draws, {name: suspects[name] for name in further}, dict.fromkeys(further, rule.most), rule)
    return {name: found.opinion for name, found in judged(cases, rule).items()}


def confirm(draws: dict[str, Draw], suspects: dict[str, Evidence], wanted: dict[str, int], rule: Rule) -> None:
    for name, one in suspects.items():
        while len(one.confirm) < wanted[name] and not cleared(one, rule):
            one.confirm.append(draws[name]())


def normal(chance: random.Random, slowdown: float, spread: float) -> Draw:
    return lambda: chance.gauss(math.log1p(slowdown), spread)


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
        opinion for _ in range(RUNS) for opinion in gate({name: noise(chance, 0.0, spread) for name in "abc"}).values()
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
        seen = gate({"victim": normal(chance, slowdown, spread)} | {n: normal(chance, 0.0, spread) for n in "ab"})
        found += seen.pop("victim") == "SLOWER"
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
    found = judged({"a": evidence}, RULE)["a"]
    assert found.opinion == "INCONCLUSIVE"
    assert found.more is not None
    assert found.more > 40
    assert found.detectable > 0.5


def test_a_confirmation_stands_on_fresh_pairs_alone() -> None:
    lucky = Evidence(screen=[0.2] * 6, confirm=[0.001 * k for k in range(-6, 7)], planned=13)
    assert judged({"a": lucky}, RULE)["a"].opinion == "OK"
    shown = Evidence([0.2] * 6, [0.3 + 0.001 * k for k in range(12)], planned=12)
    assert judged({"a": shown}, RULE)["a"].opinion == "SLOWER"


def test_what_a_first_look_shows_stands_and_what_it_leaves_open_gets_a_second() -> None:
    shown, hidden = [0.3 + 0.001 * k for k in range(12)], [0.05, 0.2, -0.1, 0.16] * 3
    cases = {name: Evidence([0.2] * 6, list(pairs), planned=12) for name, pairs in (("s", shown), ("h", hidden))}
    assert open_after_first_look(cases, RULE) == {"h"}
    assert judged(cases, RULE)["h"].opinion == "INCONCLUSIVE"
    cases["h"].confirm += [0.15 + 0.001 * k for k in range(48)]
    assert {name: found.opinion for name, found in judged(cases, RULE).items()} == {"s": "SLOWER", "h": "SLOWER"}
    cases["h"].confirm[12:] = [-0.001 * k for k in range(48)]
    assert judged(cases, RULE)["h"].opinion == "OK"


def test_a_suspect_that_is_cleared_goes_no_further() -> None:
    tolerated = Evidence([0.2] * 6, [0.001 * k for k in range(-3, 4)], planned=12)
    assert open_after_first_look({"a": tolerated}, RULE) == set()


@given(st.floats(0.001, 0.5), st.integers(1, 20))
def test_confirmations_take_as_many_pairs_as_the_rule_allows(spread: float, suspects: int) -> None:
    evidence = Evidence(screen=[spread, -spread, spread, -spread])
    assert RULE.least <= to_confirm(evidence, RULE, suspects) <= RULE.most
    assert to_confirm(evidence, RULE, suspects) <= to_confirm(evidence, RULE, suspects + 1)


def test_an_earlier_calibration_can_only_add_pairs() -> None:
    steady = [0.03, 0.031, 0.029, 0.03, 0.03, 0.03]
    assert to_confirm(Evidence(steady, sigma=0.08), RULE, 1) > to_confirm(Evidence(steady), RULE, 1)


def test_a_tolerance_brings_its_effect_along() -> None:
    assert with_tolerance(RULE, 0.02).effect == 0.04
    assert inside([0.01] * 6, RULE)
    assert not inside([0.01] * 6, with_tolerance(RULE, 0.005))


def test_however_many_slow_down_at_once_all_are_shown() -> None:
    cases = {f"{n}": Evidence([0.7 + 0.001 * k for k in range(6)]) for n in range(200)}
    for one in cases.values():
        one.planned = to_confirm(one, RULE, len(cases))
        one.confirm += [0.7 + 0.001 * k for k in range(one.planned)]
    assert {found.opinion for found in judged(cases, RULE).values()} == {"SLOWER"}


def test_pairs_to_confirm_are_as_many_as_there_is_time_for_but_never_too_few_to_tell() -> None:
    wild = Evidence([0.2, -0.1, 0.3, 0.1, -0.05, 0.15])
    assert to_confirm(wild, RULE, 1) == RULE.most
    assert to_confirm(wild, RULE, 1, affordable=30.7) == 30
    assert to_confirm(wild, RULE, 1, affordable=0.0) == RULE.least
    assert to_confirm(wild, RULE, 200, affordable=0.0) == math.ceil(math.log2(200 / RULE.alpha_of_a_look))


def test_a_run_has_time_for_each_of_its_cases_and_a_minute_at_least() -> None:
    assert RULE.allowance(1) == 60
    assert RULE.allowance(21) == 21 * RULE.seconds < 300
    assert not undecided(Evidence([0.0, 0.2, -0.2, 0.1, -0.1, 0.0]), RULE, late=True)
    assert undecided(Evidence([0.0, 0.2, -0.2, 0.1, -0.1, 0.0]), RULE)
    assert undecided(Evidence([0.0]), RULE, late=True)
