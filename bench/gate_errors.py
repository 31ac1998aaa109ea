"""How often the gate errs where the truth is known, and what it finds: whole runs on drawn differences.

    python bench/gate_errors.py [RUNS [PROCESSES]]

Prints a table, a line for each question, noise and number of cases, and exits 1 if a figure is beyond its bar by more
than the chance of so few runs explains (the bar is outside the exact 95% interval). RUNS is for the questions with one
case; those with more have fewer. Noise without a bar is of kinds that the rule does not promise anything for. They are
shown so that nobody need guess.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Pool

from tbench.analysis.binomial import Rate
from tbench.gate.decision import Rule
from tbench.gate.simulation import Draw, bimodal, drift, noisy, normal, verdicts

RULE = Rule()
SPREADS = (0.025, 0.045, 0.08)
FEWEST = 1000


@dataclass(frozen=True)
class Question:
    """`wanted`: the verdict that is counted, in runs with one or more of it among so many `cases`, which are all slower
    by `slowdown`. `most`, `least`: the bar, if there is one."""

    words: str
    wanted: str
    slowdown: float
    spread: float
    cases: int = 1
    noise: str = ""
    most: float = 1.0
    least: float = 0.0

    def draw(self, chance: random.Random) -> Draw:
        plain = normal(chance, self.slowdown, self.spread)
        match self.noise:
            case "30% of processes ×1.10":
                return noisy(plain, bimodal(chance, 0.30, 0.10))
            case "50% of processes ×1.15":
                return noisy(plain, bimodal(chance, 0.50, 0.15))
            case "both sides drift":
                return noisy(plain, drift(chance, both=True))
            case "one side drifts":
                return noisy(plain, drift(chance, both=False))
        return plain

    def missed(self, rate: Rate) -> bool:
        return rate.low > self.most or rate.high < self.least


def questions() -> Iterator[Question]:
    for spread in SPREADS:
        yield Question("false OK at the tolerance", "OK", RULE.tolerance, spread, most=0.05)
    for cases in (1, 3, 10):
        for spread in SPREADS:
            yield Question("false red, all at the tolerance", "SLOWER", RULE.tolerance, spread, cases, most=0.01)
    for slowdown in (0.06, 0.08, 0.10):
        for spread in SPREADS:
            least = 0.90 if slowdown == 0.10 else 0.0
            yield Question(f"+{slowdown:.0%} found", "SLOWER", slowdown, spread, least=least)
    for slowdown in (0.0, 0.02):
        for spread in SPREADS:
            least = 0.99 if spread <= 0.045 else 0.0
            yield Question(f"OK at +{slowdown:.0%}", "OK", slowdown, spread, least=least)
    for noise in ("30% of processes ×1.10", "50% of processes ×1.15", "both sides drift", "one side drifts"):
        for words, wanted, slowdown, cases in (
            ("red, same code", "SLOWER", 0.0, 3),
            ("inconclusive, same code", "INCONCLUSIVE", 0.0, 3),
            ("red at the tolerance", "SLOWER", RULE.tolerance, 1),
            ("OK at the tolerance", "OK", RULE.tolerance, 1),
            ("+10% found", "SLOWER", 0.10, 1),
        ):
            yield Question(words, wanted, slowdown, 0.025, cases, noise)


def answer(job: tuple[Question, int, int]) -> tuple[Question, Rate]:
    question, runs, seed = job
    chance = random.Random(seed)
    seen: Counter[bool] = Counter()
    for _ in range(runs):
        found = verdicts({f"{n}": question.draw(chance) for n in range(question.cases)}, RULE)
        seen[question.wanted in found.values()] += 1
    return question, Rate(seen[True], runs)


def main(runs: int, processes: int) -> int:
    jobs = [(one, max(FEWEST, runs // one.cases), seed) for seed, one in enumerate(questions())]
    missed = 0
    print(f"{'':32} {'noise of a pair':30} cases   runs   rate  [95% interval]   bar")
    with Pool(processes) as pool:
        for one, rate in pool.imap(answer, jobs):
            bar = f"≤ {one.most:.0%}" if one.most < 1 else f"≥ {one.least:.0%}" if one.least else ""
            noise = f"{one.spread:.1%}" + (f", {one.noise}" if one.noise else "")
            verdict = "  MISSED" if one.missed(rate) else ""
            print(
                f"{one.words:32} {noise:30} {one.cases:5} {rate.trials:6} {rate.share:6.1%}  [{rate.low:.1%}, "
                f"{rate.high:.1%}]   {bar}{verdict}",
                flush=True,
            )
            missed += one.missed(rate)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in (sys.argv[1:] + ["4000", "1"][len(sys.argv) - 1 :])[:2])))
