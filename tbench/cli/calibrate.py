"""`tbench calibrate`: trials of the gate itself on this machine, and what they show."""

from __future__ import annotations

import sys
from pathlib import Path

from tbench.analysis.binomial import Rate
from tbench.gate.calibrate import TrialPlan
from tbench.gate.calibrate import calibrate as carried_out
from tbench.gate.calibration import SUMMARY, Summary
from tbench.gate.options import Options
from tbench.gate.run import CALIBRATIONS
from tbench.tables import units


def calibrate(options: Options, plan: TrialPlan) -> None:
    """Carry out what is missing of the plan, save and print what all trials show."""
    name = options.read().name
    folder = Path(options.output) if options.output else CALIBRATIONS / name
    summary, trials = carried_out(options, plan, folder, keep)
    print(f"{name}: {units.counted(len(trials), 'trial')}, {summary.seconds:.0f} s each")
    for line in lines(summary):
        print(line)
    print(f"{folder / SUMMARY}: `tbench gate` uses it on this machine, from this folder", file=sys.stderr)


def lines(summary: Summary) -> list[str]:
    """What a person wants to know first: false alarms, then power, then noise."""
    same = summary.false_red
    shown = [
        f"false reds      {of(same)}, at most {same.bound:.1%} with 95% confidence",
        f"false FASTER    {of(summary.false_faster)}",
        f"inconclusive    {of(summary.inconclusive)}",
    ]
    shown += [f"{name + ' found':15} {of(rate)}{interval(rate)}" for name, rate in summary.power.items()]
    if summary.right.trials:
        shown.append(f"right case      {of(summary.right)} of the reds named exactly the case that was made worse")
    for name, (red, unclear) in summary.noisy.items():
        shown.append(f"{name + ' noise':21} {of(red)} red{interval(red)}, {of(unclear)} inconclusive")
    shown += [f"sigma {sigma:7.1%}   {case}" for case, sigma in summary.sigmas.items()]
    return [*shown, f"tolerance {summary.tolerance:.0%} is the smallest tested that the gate can hold here"]


def of(rate: Rate) -> str:
    return f"{rate.hits} of {rate.trials}"


def interval(rate: Rate) -> str:
    return f" ({rate.share:.0%}, 95% interval {rate.low:.0%} to {rate.high:.0%})" if rate.share is not None else ""


def keep(message: str) -> None:
    print(f"calibrate: {message}", file=sys.stderr)
