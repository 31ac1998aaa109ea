"""What trials on a machine say of the gate there: its false-alarm rate, its power, the noise of a pair.

    trials.json        what all of them have in common: machine, scenario, rule
    trials.jsonl       one line for every trial, appended as it ends
    calibration.json   what follows from them, for `tbench gate` to use and people to read

A trial is a whole run of the gate: the same code on both sides (`a/a`), or one case chosen by chance made slower by
real work on the new side (`+10%`), or the same code with real work injected as noise (`bimodal`; see `simulation`). The
false-alarm rate and the power are shares of such runs, with exact binomial intervals (Clopper & Pearson 1934): no false
red in 300 runs bounds the rate at 1% with 95% confidence.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tbench.analysis.binomial import Rate
from tbench.analysis.signed_rank import pairs_needed
from tbench.comparison.model import Verdict
from tbench.errors import StoreError
from tbench.gate.decision import Rule, with_tolerance
from tbench.records import Environment
from tbench.store import jsonfile, write_file
from tbench.store.same import SAME_MACHINE

TRIALS, HEADER, SUMMARY = "trials.jsonl", "trials.json", "calibration.json"
SAME = (0.0, 0, "")  # code on both sides, and nothing done to it
RED = (Verdict.SLOWER, Verdict.BIGGER, Verdict.BROKEN)
TOLERANCES = (0.02, 0.03, 0.05, 0.08, 0.10, 0.15, 0.20, 0.30)


@dataclass(frozen=True)
class Trial:
    """One run of the gate.

    `target`: the case that was made worse. `share`: of its time that was added (0: a/a). `bytes`: of memory that was
    added. `flags`: case and verdict of every case that was SLOWER, FASTER, BIGGER or BROKEN. `open`: cases that stayed
    INCONCLUSIVE. `pairs`: the differences of the other cases, in logarithms; `injected`: those of the target. `noise`:
    the kind that was injected into all cases.
    """

    number: int
    share: float
    target: str
    flags: Mapping[str, str]
    open: tuple[str, ...]
    exit_code: int
    seconds: float
    pairs: Mapping[str, Sequence[float]]
    control: str = ""
    bytes: int = 0
    injected: Sequence[float] = ()
    noise: str = ""

    @property
    def kind(self) -> tuple[float, int, str]:
        return self.share, self.bytes, self.noise

    @property
    def found(self) -> bool:
        """Whether the case that was made worse was called so."""
        return self.flags.get(self.target) in (Verdict.SLOWER, Verdict.BIGGER)

    @property
    def false_red(self) -> bool:
        """Whether a case that nothing was done to was called worse."""
        return any(verdict in RED for case, verdict in self.flags.items() if case != self.target)

    def to_dict(self) -> dict[str, Any]:
        """As it is stored, where the target is still called `victim`."""
        fields = {**self.__dict__, "victim": self.target}
        del fields["target"]
        return {
            **fields,
            "flags": dict(self.flags),
            "open": list(self.open),
            "pairs": {case: list(values) for case, values in self.pairs.items()},
            "injected": list(self.injected),
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Trial:
        """What `to_dict` gave. Raises KeyError and TypeError for anything else."""
        fields = {**data, "target": data["victim"], "open": tuple(data["open"])}
        del fields["victim"]
        return Trial(**fields)


@dataclass(frozen=True)
class Summary:
    """`false_red`, `false_faster`, `inconclusive`: of the a/a runs. `power`: by kind, how many trials named the target.
    `right`: of the trials with a target that turned red, how many flagged nothing but the target. `sigmas`: standard
    deviation of a pair's difference, by case. `tolerance`: the smallest that the gate can hold here, of a few round
    figures, at the most pairs it takes. `seconds`: of a run, the median. `noisy`: of the runs with the same code and
    injected noise, by its kind, how many were red and how many inconclusive."""

    false_red: Rate
    false_faster: Rate
    inconclusive: Rate
    power: Mapping[str, Rate]
    right: Rate
    sigmas: Mapping[str, float]
    tolerance: float
    seconds: float
    noisy: Mapping[str, tuple[Rate, Rate]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        noisy = {
            kind: {"false_red": red.to_dict(), "inconclusive": unclear.to_dict()}
            for kind, (red, unclear) in self.noisy.items()
        }
        return ({"noisy": noisy} if noisy else {}) | {
            "false_red": self.false_red.to_dict() | {"bound": self.false_red.bound},
            "false_faster": self.false_faster.to_dict(),
            "inconclusive": self.inconclusive.to_dict(),
            "power": {name: rate.to_dict() for name, rate in self.power.items()},
            "right_case": self.right.to_dict(),
            "sigmas": dict(self.sigmas),
            "tolerance": self.tolerance,
            "seconds_per_run": self.seconds,
        }


def summarised(trials: Sequence[Trial], rule: Rule) -> Summary:
    """What the trials say. Raises ValueError without one."""
    if not trials:
        raise ValueError("no trial to summarise")
    quiet = [one for one in trials if not one.noise]
    same = [one for one in quiet if one.kind == SAME]
    kinds = sorted({one.kind for one in quiet} - {SAME})
    red = [one for one in quiet if one.kind != SAME and one.exit_code == 1]
    sigmas = spreads(quiet)
    return Summary(
        false_red=Rate(sum(one.false_red for one in same), len(same)),
        false_faster=Rate(sum(Verdict.FASTER in one.flags.values() for one in same), len(same)),
        inconclusive=Rate(sum(one.exit_code == 3 for one in same), len(same)),
        power={
            kind_name(*kind): Rate(sum(one.found for one in trials if one.kind == kind), count(trials, kind))
            for kind in kinds
        },
        right=Rate(sum(one.found and not one.false_red for one in red), len(red)),
        sigmas=sigmas,
        tolerance=holdable(sigmas.values(), rule),
        seconds=statistics.median(one.seconds for one in trials),
        noisy={
            kind: errors([one for one in trials if one.noise == kind])
            for kind in sorted({one.noise for one in trials if one.noise})
        },
    )


def errors(trials: Sequence[Trial]) -> tuple[Rate, Rate]:
    """How many of these were red, and how many inconclusive."""
    red, unclear = sum(one.false_red for one in trials), sum(one.exit_code == 3 for one in trials)
    return Rate(red, len(trials)), Rate(unclear, len(trials))


def count(trials: Sequence[Trial], kind: tuple[float, int, str]) -> int:
    return sum(one.kind == kind for one in trials)


def kind_name(share: float, size: int, noise: str = "") -> str:
    """`a/a`, `+10%`, `+4.0 MiB`, `bimodal`."""
    if noise:
        return noise
    if size:
        return f"+{size / 2**20:.1f} MiB"
    return f"+{share:.0%}" if share else "a/a"


def spreads(trials: Iterable[Trial]) -> dict[str, float]:
    """Root mean square of a pair's difference by case, about 0 and over all runs, so that a run's own drift counts."""
    squares: dict[str, list[float]] = {}
    for trial in trials:
        for case, values in trial.pairs.items():
            squares.setdefault(case, []).extend(value * value for value in values)
    return {case: math.sqrt(statistics.fmean(found)) for case, found in squares.items() if found}


def holdable(sigmas: Iterable[float], rule: Rule) -> float:
    """The smallest tolerance whose double the gate finds with its power in the most pairs it takes, for every case."""
    worst = max(sigmas, default=0.0)
    for tolerance in TOLERANCES:
        there = with_tolerance(rule, tolerance)
        if worst == 0 or pairs_needed(worst, there.gap, there.alpha_of_a_look, there.power) <= there.most:
            return tolerance
    return TOLERANCES[-1]


# ---------------------------------------------------------------------- on the disk


def read_trials(folder: Path) -> list[Trial]:
    """The trials so far; none where there is no file. Raises StoreError."""
    path = folder / TRIALS
    if not path.exists():
        return []
    try:
        return [Trial.from_dict(jsonfile.loads(line)) for _, line in jsonfile.lines(path)]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise StoreError(f"{path}: is not a list of trials ({problem}): remove it, or name another folder") from problem


def append_trial(folder: Path, one: Trial) -> None:
    """Add the trial's line; on return it is on the disk. Raises StoreError."""
    try:
        handle = os.open(folder / TRIALS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            jsonfile.append(handle, jsonfile.dumps(one.to_dict()))
        finally:
            os.close(handle)
    except OSError as problem:
        raise StoreError(f"{folder / TRIALS}: cannot be written: {problem.strerror}; name another with -o") from problem


def resumed(folder: Path, header: Mapping[str, Any]) -> list[Trial]:
    """The trials in `folder`, to go on with; a folder without any is begun. Raises StoreError for trials of another
    machine, scenario or rule (`header` says of which), and cuts off what a crash left of the last line."""
    folder.mkdir(parents=True, exist_ok=True)
    header = jsonfile.loads(jsonfile.dumps(header))
    if not (folder / TRIALS).exists():
        write_file(folder / HEADER, jsonfile.dumps(header, indent=2).decode())
        return []
    try:
        stored = jsonfile.loads((folder / HEADER).read_bytes())
    except (OSError, ValueError) as problem:
        raise StoreError(f"{folder / HEADER} cannot be read ({problem}): name another folder with -o") from None
    differing = [name for name in header if stored.get(name) != header[name]]
    if differing:
        raise StoreError(
            f"{folder} holds trials of another {' and '.join(differing)}, which cannot be combined with these: name "
            "another folder with -o, or remove this one to begin again"
        )
    jsonfile.cut_torn_line(folder / TRIALS)
    return read_trials(folder)


def write_summary(
    folder: Path, summary: Summary, scenario: str, environment: Environment, rule: Rule, quick: bool
) -> None:
    content = {
        "schema_version": 1,
        "scenario": scenario,
        "machine": {name: getattr(environment, name) for name in SAME_MACHINE},
        "quick": quick,
        "rule": rule.__dict__,
        **summary.to_dict(),
    }
    write_file(folder / SUMMARY, jsonfile.dumps(content, indent=2).decode())


@dataclass(frozen=True)
class Known:
    """What an earlier calibration on this machine lends to a gate. `tolerance`: None where it is of other cases."""

    sigmas: Mapping[str, float]
    tolerance: float | None
    folder: Path


def known(folder: Path, environment: Environment, quick: bool, cases: Sequence[str]) -> Known | str | None:
    """The calibration in `folder` if it is of this machine and pace; in words why it is not used; None where there is
    none."""
    path = folder / SUMMARY
    if not path.exists():
        return None
    try:
        content = jsonfile.loads(path.read_bytes())
        machine, sigmas = content["machine"], {case: float(value) for case, value in content["sigmas"].items()}
        tolerance, at_quick = float(content["tolerance"]), bool(content["quick"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        return f"{path} cannot be read ({problem}); calibrate again"
    differing = [name for name in SAME_MACHINE if machine.get(name) != getattr(environment, name)]
    if differing:
        return f"{path} is from another machine or torch version ({', '.join(differing)} differ), so it is not used"
    if at_quick != quick:
        return f"{path} was made {'with' if at_quick else 'without'} --quick, so it is not used"
    return Known(sigmas, tolerance if sigmas.keys() >= set(cases) else None, folder)
