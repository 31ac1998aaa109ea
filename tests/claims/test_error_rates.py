"""How often a verdict is wrong, on made-up data of which the truth is known: true effect, none, opposite, too noisy."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable

import pytest

from tbench.analysis.statistics import ratio
from tbench.claims.model import Equivalent, Range, Superior
from tbench.claims.quality import Paired, equivalent, mean_estimate, superior
from tbench.claims.slopes import slope, unpaired_ratio
from tbench.claims.verdict import Estimate, Verdict, judge

SETS = 1000
MOST_WRONG = 0.05
Outcome = tuple[bool | None, Verdict]  # whether the claim is true of these data (None: neither clearly), the verdict


def turns(chance: random.Random, seconds: float, noise: float, rounds: int) -> list[list[float]]:
    """Logarithms of four turns a round; processes differ by `noise`, turns by half of it; some are 30% slower."""
    taken = []
    for _ in range(rounds):
        process = chance.gauss(0, noise)
        taken.append(
            [
                math.log(seconds) + process + chance.gauss(0, noise / 2) + (0.26 if chance.random() < 0.05 else 0)
                for _ in range(4)
            ]
        )
    return taken


def speed(chance: random.Random, truths: tuple[float, ...], measured_in_turns: bool = True) -> Outcome:
    """Claimed: 2 to 4 times as fast."""
    truth, noise, rounds = chance.choice(truths), chance.choice((0.005, 0.02, 0.1)), chance.randint(3, 12)
    base, tested = turns(chance, truth, noise, rounds), turns(chance, 1.0, noise, rounds)
    if measured_in_turns:
        estimate = Estimate.of(ratio(base, tested))
    else:
        estimate = unpaired_ratio(*([sum(one) / len(one) for one in side] for side in (base, tested)))
    return truth >= 2, judge(Range(2, 4), estimate).verdict


def growth(chance: random.Random) -> Outcome:
    """Claimed: with the square, or nearly (exponent from 1.8)."""
    truth, noise = chance.choice((0.9, 1.0, 1.3, 1.79, 1.81, 2.0, 2.4)), chance.choice((0.01, 0.05))
    sizes = (512, 1024, 2048, 4096)[: chance.randint(2, 4)]
    rounds = [[truth * math.log(size) + chance.gauss(0, noise) for _ in range(chance.randint(3, 8))] for size in sizes]
    return truth >= 1.8, judge(Range(1.8, 2.2), slope(sizes, rounds)).verdict


def losses(chance: random.Random, gain: float, noise: float, seeds: int) -> Paired:
    """Two arms around 2 nats; what a seed has in common is three times the noise between arms."""
    shared = [2 + chance.gauss(0, 3 * noise) for _ in range(seeds)]
    return Paired(tuple(shared), tuple(one - gain + chance.gauss(0, noise) for one in shared))


def superiority(chance: random.Random) -> Outcome:
    """Claimed: better, in one of three arms. A gain between 0 and 0.5% is neither clearly true nor clearly false."""
    gain = chance.choice((-0.05, -0.01, 0.0, 0.004, 0.02, 0.06))
    noise, seeds = chance.choice((0.002, 0.01, 0.05)), chance.randint(2, 10)
    arms = [losses(chance, gain, noise, seeds), *(losses(chance, 0.0, noise, seeds) for _ in range(2))]
    truth = True if gain >= 0.01 else False if gain <= 0 else None
    return truth, superior([(one, Superior()) for one in arms])[0].verdict


def equivalence(chance: random.Random) -> Outcome:
    """Claimed: within 0.02 nats."""
    gain = chance.choice((-0.06, -0.0201, -0.0199, -0.005, 0.0, 0.005, 0.0201, 0.06))
    arm = losses(chance, gain, chance.choice((0.002, 0.01, 0.05)), chance.randint(2, 10))
    return abs(gain) < 0.02, equivalent(arm, Equivalent()).verdict


def stability(chance: random.Random) -> Outcome:
    """Claimed: fails less often, by 5 points at least. The runs of a seed share much of what makes them fail."""
    less, base_rate = chance.choice((-0.3, -0.1, 0.0, 0.04, 0.06, 0.2, 0.5)), 0.5
    gains = []
    for _ in range(chance.randint(3, 8)):
        hard = chance.gauss(0, 0.1)
        arms = [sum(chance.random() < rate + hard for _ in range(8)) for rate in (base_rate, base_rate - less)]
        gains.append((arms[0] - arms[1]) / 8)
    return less >= 0.05, judge(Range(0.05, None, 0.0), mean_estimate(gains, "seeds")).verdict


def width(chance: random.Random) -> Outcome:
    """Claimed: half a decade more of learning rates trains. Rates are half a decade apart, so a width has steps."""
    more, spread = chance.choice((-0.5, 0.0, 0.25, 0.75, 1.5)), chance.choice((0.0, 0.1, 0.3))
    gains = [round((more + chance.gauss(0, spread)) / 0.25) * 0.25 for _ in range(chance.randint(3, 6))]
    return more >= 0.5, judge(Range(0.5, None, 0.0), mean_estimate(gains, "seeds")).verdict


EVERYTHING = (0.5, 0.9, 0.98, 1.0, 1.02, 1.5, 1.9, 2.0, 2.5, 3.0, 5.0)
KINDS: dict[str, Callable[[random.Random], Outcome]] = {
    "speed": lambda chance: speed(chance, EVERYTHING),
    "speed just below the range": lambda chance: speed(chance, (1.9999,)),
    "speed at its lower end": lambda chance: speed(chance, (2.0,)),
    "speed, not measured in turns": lambda chance: speed(chance, EVERYTHING, measured_in_turns=False),
    "growth": growth,
    "superiority": superiority,
    "equivalence": equivalence,
    "stability": stability,
    "width": width,
}


@pytest.mark.parametrize("kind", KINDS)
def test_at_most_one_verdict_in_twenty_is_wrong(kind: str) -> None:
    chance = random.Random(kind)
    outcomes = [KINDS[kind](chance) for _ in range(SETS)]
    confirmed = sum(truth is False and verdict is Verdict.CONFIRMED for truth, verdict in outcomes)
    refuted = sum(truth is True and verdict is Verdict.REFUTED for truth, verdict in outcomes)
    share = (confirmed + refuted) / SETS
    assert share <= MOST_WRONG, f"{kind}: {share:.1%} wrong: {confirmed} false confirmed, {refuted} true refuted"


@pytest.mark.parametrize("kind", ["speed", "growth", "superiority", "equivalence", "stability", "width"])
def test_the_engine_does_decide(kind: str) -> None:
    """Saying inconclusive to everything would never be wrong."""
    chance = random.Random(kind)
    outcomes = [KINDS[kind](chance) for _ in range(SETS)]
    verdicts = Counter(verdict for _, verdict in outcomes)
    assert verdicts[Verdict.INCONCLUSIVE] < 0.75 * SETS, f"{kind}: {dict(verdicts)}"
    right = sum(truth is True and verdict is Verdict.CONFIRMED for truth, verdict in outcomes)
    assert right > 0.1 * SETS, f"{kind}: only {right} true claims of {SETS} sets confirmed"


@pytest.mark.parametrize(
    ("truth", "verdict"),
    [(3.0, Verdict.CONFIRMED), (1.5, Verdict.PARTLY), (1.0, Verdict.NO_EFFECT), (0.7, Verdict.REFUTED)],
)
def test_with_little_noise_the_verdict_is_the_truth(truth: float, verdict: Verdict) -> None:
    chance = random.Random(1)
    found: Counter[Verdict] = Counter()
    for _ in range(200):
        one = ratio(turns(chance, truth, 0.003, 12), turns(chance, 1.0, 0.003, 12))
        found[judge(Range(2, 4), Estimate.of(one)).verdict] += 1
    assert found[verdict] >= 180, f"of 200: {dict(found)}"


def test_with_much_noise_it_says_that_it_does_not_know() -> None:
    chance = random.Random(2)
    verdicts = [
        judge(Range(2, 4), Estimate.of(ratio(turns(chance, 1.4, 0.8, 4), turns(chance, 1.0, 0.8, 4))))
        for _ in range(200)
    ]
    unknown = [one for one in verdicts if one.verdict is Verdict.INCONCLUSIVE]
    assert len(unknown) >= 180, f"{len(unknown)} of 200 inconclusive"
    assert all(one.more is None or one.more > 0 for one in unknown)
