"""What becomes of a case: the duel's finding and the sides' states as one outcome."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

from tbench.analysis.turns import by_round
from tbench.gate.decision import Finding
from tbench.gate.outcome import Outcome, Verdict
from tbench.gate.paired import Duel
from tbench.gate.rule import Rule
from tbench.records import Case, Measurement

NOT_HERE = ("unsupported", "oom")  # a fact about the machine and the case, not a fault


def settled(duel: Duel, found: Finding | None, rule: Rule) -> Outcome:
    """The outcome of a case that both sides have. `found` is None where a side failed."""
    base, new = duel.measured("base"), duel.measured("new")
    assert base is not None and new is not None
    outcome = Outcome(duel.name, "OK", pairs=duel.pairs, base_bytes=duel.peak("base"))
    outcome = replace(outcome, new_bytes=duel.peak("new"), base_seconds=seconds(base), new_seconds=seconds(new))
    if found is None:
        verdict, reason = failed(base, new, ran=bool(duel.evidence.screen))
        return replace(outcome, verdict=verdict, reason=reason)
    outcome = replace(outcome, ratio=found.ratio, detectable=found.detectable, more=found.more)
    verdict = found.opinion
    grown = f"peak memory grew from {duel.peak('base')} to {duel.peak('new')} bytes" if duel.grown else ""
    if verdict == "SLOWER":
        reason = f"shown to be more than {rule.tolerance:.1%} slower in {len(duel.evidence.confirm)} fresh pairs"
        return replace(outcome, verdict=verdict, reason="; ".join(filter(None, (reason, grown))))
    if grown:
        return replace(outcome, verdict="BIGGER", reason=grown)
    reasons = {"OK": "", "FASTER": f"more than {rule.tolerance:.1%} faster", "INCONCLUSIVE": still_open(found, rule)}
    return replace(outcome, verdict=verdict, reason=reasons[verdict])


def still_open(found: Finding, rule: Rule) -> str:
    """Why an INCONCLUSIVE is one, and what would help."""
    high = found.ratio.high
    bound = "" if high is None else f" (up to {high - 1:+.1%} fits these pairs)"
    return (
        f"too noisy to exclude {rule.tolerance:.1%}{bound}; a slowdown of {found.detectable:.0%} would have been seen. "
        f"About {found.more} more pairs would decide: quieten the machine, run with --rigorous, or raise --tolerance"
    )


def failed(base: Measurement, new: Measurement, ran: bool = False) -> tuple[Verdict, str]:
    """What to say where one side, or both, has failed. `ran`: both had run before, so that what failed is no fact about
    the case and the machine as such."""
    if new.status == "ok":
        if base.status in NOT_HERE and not ran:
            return "ADDED", f"could not run in the base ({base.status}: {base.reason}); correct now"
        return "INCONCLUSIVE", f"the base failed, so there is nothing to compare with ({base.status}: {base.reason})"
    if base.status == "ok":
        return "BROKEN", f"{new.status}: {new.reason}"
    if new.status in NOT_HERE:
        if ran:
            return "INCONCLUSIVE", f"both sides ran, and then did not ({new.status}: {new.reason})"
        return "SKIPPED", f"{new.status}: {new.reason}"
    return "BROKEN", f"{new.status}: {new.reason} (the base failed too)"


def added(case: Case, new: Measurement) -> Outcome:
    """The outcome of a case that only the new side has."""
    if new.status == "ok":
        why = "only the new side has it; correct, and nothing to compare with"
        return Outcome(case.id, "ADDED", why, new_seconds=seconds(new), new_bytes=peak(new), pairs=1)
    verdict: Verdict = "SKIPPED" if new.status in NOT_HERE else "BROKEN"
    return Outcome(case.id, verdict, f"{new.status}: {new.reason}", pairs=1)


def missing(case: Case) -> Outcome:
    return Outcome(case.id, "MISSING", "only the base has it: the scenario does not measure it any more")


def skipped(case: Case, left_out: Measurement) -> Outcome:
    return Outcome(case.id, "SKIPPED", f"{left_out.status}: {left_out.reason}")


def seconds(one: Measurement) -> float | None:
    """Median seconds of a call; None where there is no sample or the case failed."""
    if one.status != "ok" or not one.turns:
        return None
    return math.exp(statistics.median(value for values in by_round(one.turns) for value in values))


def peak(one: Measurement) -> int | None:
    return one.memory.peak_bytes if one.memory else None
