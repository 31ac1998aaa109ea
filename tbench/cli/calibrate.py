"""`tbench calibrate`: trials of the gate itself on this machine, and what they show."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tbench.analysis.binomial import Rate
from tbench.gate.calibrate import Programme
from tbench.gate.calibrate import calibrate as carried_out
from tbench.gate.calibration import SUMMARY, Summary
from tbench.gate.rule import Rule
from tbench.gate.run import CALIBRATIONS
from tbench.gate.sides import Asked, read


def calibrate(
    scenario: str,
    programme: Programme,
    device: str,
    overrides: Sequence[str],
    select: Sequence[str],
    *,
    quick: bool,
    output: str | None,
    seed: int,
) -> None:
    """Carry out what is missing of the programme, save and print what all trials show."""
    asked = Asked(scenario, Path(), device=device, select=select, overrides=overrides, quick=quick)
    name = read(asked, scenario).name
    folder = Path(output) if output else CALIBRATIONS / name
    asked = Asked(scenario, folder, device=device, select=select, overrides=overrides, quick=quick)
    summary, trials = carried_out(asked, programme, seed=seed, rule=Rule(), tell=tell)
    print(f"{name}: {len(trials)} trials, {summary.seconds:.0f} s each")
    for line in lines(summary):
        print(line)
    print(f"{folder / SUMMARY}: `tbench gate` uses it on this machine, from this folder", file=sys.stderr)


def lines(summary: Summary) -> list[str]:
    """What a person wants to know first: false alarms, then power, then noise."""
    same = summary.false_red
    told = [
        f"false reds      {of(same)}, at most {same.bound:.1%} with 95% confidence",
        f"false FASTER    {of(summary.false_faster)}",
        f"inconclusive    {of(summary.inconclusive)}",
    ]
    told += [f"{name + ' found':15} {of(rate)}{interval(rate)}" for name, rate in summary.power.items()]
    if summary.right.trials:
        told.append(f"right case      {of(summary.right)} of the reds named the case that was made worse, and no other")
    for name, (red, unclear) in summary.noisy.items():
        told.append(f"{name + ' noise':21} {of(red)} red{interval(red)}, {of(unclear)} inconclusive")
    told += [f"sigma {sigma:7.1%}   {case}" for case, sigma in summary.sigmas.items()]
    return [*told, f"tolerance {summary.tolerance:.0%} is the smallest of a few that the gate can hold here"]


def of(rate: Rate) -> str:
    return f"{rate.hits} of {rate.trials}"


def interval(rate: Rate) -> str:
    return f" ({rate.share:.0%}, 95% interval {rate.low:.0%} to {rate.high:.0%})" if rate.share is not None else ""


def tell(message: str) -> None:
    print(f"calibrate: {message}", file=sys.stderr)
