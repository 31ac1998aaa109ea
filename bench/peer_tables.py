"""What the answers that `peers.py` collects come to: pure functions on them, and their tables in Markdown.

agreement   median of a harness's estimates ÷ median of those of `torch`, by case
spread      standard deviation of the logarithms of its estimates, by case: how far apart two answers are
coverage    share of tbench's answers whose printed 95% interval holds the median of all its other answers to the
            case; that is uncertain itself: of 20 answers with perfect intervals about 94% would be counted
time        median wall seconds from the question to the answer, imports and start-up included
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

BASE = "torch"
LEAST_COVERAGE = 0.90  # of 200 answers with perfect intervals a share below this is seen once in thousands of trials
LARGEST_SHARE = 0.1  # of pyperf's time
FEWEST_FOR_COVERAGE = 5  # repeats of a case

Answers = Sequence[Mapping[str, Any]]  # see `peers.asked`; failed ones have a `failure` and no `estimate`


def of(answers: Answers, harness: str, case: str) -> list[Mapping[str, Any]]:
    """The answers of a harness to a case, those that failed left out."""
    return [a for a in answers if a["harness"] == harness and a["case"] == case and not a.get("failure")]


def named(answers: Answers, what: str) -> list[str]:
    return list(dict.fromkeys(str(answer[what]) for answer in answers))


def long_run(answers: Answers, harness: str, case: str) -> float | None:
    """Seconds: the median of all estimates."""
    found = [answer["estimate"] for answer in of(answers, harness, case)]
    return statistics.median(found) if found else None


def agreement(answers: Answers, harness: str, case: str) -> float | None:
    mine, base = long_run(answers, harness, case), long_run(answers, BASE, case)
    return mine / base if mine is not None and base is not None else None


def spread(answers: Answers, harness: str, case: str) -> float | None:
    logs = [math.log(answer["estimate"]) for answer in of(answers, harness, case)]
    return statistics.stdev(logs) if len(logs) > 1 else None


def time_to_answer(answers: Answers, harness: str, case: str) -> float | None:
    found = [answer["seconds"] for answer in of(answers, harness, case)]
    return statistics.median(found) if found else None


def covered(answers: Answers, case: str, harness: str = "tbench") -> list[bool]:
    """For every answer with an interval, whether it holds the median of the others."""
    found = [answer for answer in of(answers, harness, case) if answer["low"] is not None]
    estimates = [answer["estimate"] for answer in found]
    others = [statistics.median(rest) for i in range(len(found)) if (rest := estimates[:i] + estimates[i + 1 :])]
    return [a["low"] <= other <= a["high"] for a, other in zip(found, others, strict=False)]


def coverage(answers: Answers) -> tuple[int, int]:
    """How many of tbench's intervals hold it, of how many."""
    every = [covered(answers, case) for case in named(answers, "case")]
    counted = [hit for hits in every if len(hits) >= FEWEST_FOR_COVERAGE for hit in hits]
    return sum(counted), len(counted)


def half_width(answers: Answers, case: str) -> float | None:
    """The median relative half-width that tbench printed."""
    found = [answer["high"] / answer["estimate"] - 1 for answer in of(answers, "tbench", case) if answer["low"]]
    return statistics.median(found) if found else None


def share_of_pyperf(answers: Answers, case: str) -> float | None:
    mine, other = time_to_answer(answers, "tbench", case), time_to_answer(answers, "pyperf", case)
    return mine / other if mine is not None and other is not None else None


def verdicts(answers: Answers) -> list[tuple[bool, str]]:
    """What must hold, as far as it was measured: whether it does, and the figure in words."""
    found = []
    hits, counted = coverage(answers)
    if counted:
        told = f"{hits} of {counted} printed intervals ({hits / counted:.1%}) hold the median of the other repeats"
        found.append((hits / counted >= LEAST_COVERAGE, f"{told}; {LEAST_COVERAGE:.0%} at least"))
    shares = {case: share_of_pyperf(answers, case) for case in named(answers, "case")}
    known = {case: share for case, share in shares.items() if share is not None}
    if known:
        worst = max(known, key=lambda case: known[case])
        told = f"tbench takes {known[worst]:.3f} of pyperf's time at most ({worst})"
        found.append((known[worst] <= LARGEST_SHARE, f"{told}; {LARGEST_SHARE:g} allowed"))
    return found


# ---------------------------------------------------------------------- Markdown


def markdown(stored: Mapping[str, Any]) -> str:
    """The whole of peers.md."""
    answers: Answers = stored["answers"]
    parts = [heading(stored)]
    if answers:
        parts += [
            f"## Agreement\n\nMedian of the estimates; ÷ {BASE} beyond the first column.\n\n"
            + agreement_table(answers),
            "## Spread over repeats\n\nStandard deviation of the answers' logarithms.\n\n"
            + by_harness(answers, spread, lambda value: f"{value:.2%}"),
            "## Coverage\n\ntbench's printed 95% intervals against the median of all other repeats.\n\n"
            + coverage_table(answers),
            "## Time to answer\n\nMedian seconds of wall time, start-up included.\n\n"
            + by_harness(answers, time_to_answer, lambda value: f"{value:.1f}"),
            "## What must hold\n\n" + "\n".join(f"- {'yes' if ok else 'NO'}: {told}" for ok, told in verdicts(answers)),
        ]
        failures = [f"- {a['harness']}, {a['case']}: {a['failure']}" for a in answers if a.get("failure")]
        parts += ["## Without an answer\n\n" + "\n".join(failures)] if failures else []
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def heading(stored: Mapping[str, Any]) -> str:
    where, answers = stored["where"], stored["answers"]
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    days = sorted({answer["at"][:10] for answer in answers})
    when = " to ".join(dict.fromkeys([days[0], days[-1]])) if days else "nothing yet"
    asked = [
        [h, e["prints"], e["interval"], e["absent"] or str(times(answers, h))] for h, e in where["harnesses"].items()
    ]
    warning = "\n\n**Quick: to see that everything runs, not to be cited.**" if where["quick"] else ""
    told = f"{where['device_name']}, {where['threads']} threads, allocator {where['allocator']}; {versions}; {when}."
    return f"# Peers\n\n{told}{warning}\n\n" + table(["harness", "prints", "interval", "answers"], asked)


def times(answers: Answers, harness: str) -> int:
    return sum(answer["harness"] == harness for answer in answers)


def agreement_table(answers: Answers) -> str:
    harnesses = [BASE, *(name for name in named(answers, "harness") if name != BASE)]
    rows = []
    for case in named(answers, "case"):
        base = long_run(answers, BASE, case)
        ratios = [written(agreement(answers, name, case), lambda value: f"{value:.3f}") for name in harnesses[1:]]
        rows.append([case, written(base, duration), *ratios])
    return table(["case", *harnesses], rows)


def by_harness(
    answers: Answers, figure: Callable[[Answers, str, str], float | None], write: Callable[[float], str]
) -> str:
    harnesses = named(answers, "harness")
    rows = [[case, *(written(figure(answers, h, case), write) for h in harnesses)] for case in named(answers, "case")]
    return table(["case", *harnesses], rows)


def coverage_table(answers: Answers) -> str:
    rows = []
    for case in named(answers, "case"):
        hits = covered(answers, case)
        printed = written(half_width(answers, case), lambda value: f"±{value:.1%}")
        rows.append([case, f"{sum(hits)} of {len(hits)}" if hits else "–", printed])
    return table(["case", "hold it", "median width"], rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *("--:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def written(value: float | None, write: Callable[[float], str]) -> str:
    return "–" if value is None else write(value)


def duration(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"
