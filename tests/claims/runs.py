"""Runs made up for claims: cases with known times, bytes, findings and training losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tbench.analysis.run import Run
from tbench.claims import Assessment, article
from tbench.claims.assess import assess_claim
from tbench.claims.verdict import Verdict
from tbench.records import Case, Measurement, Value
from tests.synthetic import ENVIRONMENT, attention, header, ok


def run_of(measurements: Sequence[Measurement], *command: str) -> Run:
    recorded = ["run", "scenarios/attention.yaml", *command]
    environment = replace(ENVIRONMENT, ceilings=None)  # made-up times are faster than any machine
    return Run(Path("results/made-up"), header() | {"command": recorded}, environment, tuple(measurements))


def case(component: str, phase: str = "forward", /, **axes: Value) -> Case:
    return Case(component, phase, "cpu", "float32", tuple(axes.items()))


def pair(seq_len: int, naive: float, flash: float, phase: str = "forward_backward") -> list[Measurement]:
    """Naive and flash attention of a length, in seconds."""
    return [
        ok(attention("naive", seq_len, phase=phase), naive, seq_len),
        ok(attention("flash", seq_len, phase=phase), flash, seq_len + 1),
    ]


def found(one: Case, **findings: Any) -> Measurement:
    return Measurement(one, "ok", findings=findings)


def arm(experiment: str, name: str, losses: Sequence[float | None], budget: str = "full", **more: Any) -> Measurement:
    """An arm of a training experiment, one run for each loss; None is a run that diverged."""
    findings: Mapping[str, Any] = {
        "seeds": [1 + number for number in range(len(losses))],
        "losses": list(losses),
        "first_losses": [5.5] * len(losses),
        "diverged": [loss is None for loss in losses],
    }
    return Measurement(
        case("training", experiment=experiment, arm=name, budget=budget), "ok", findings={**findings, **more}
    )


def judged(id: str, *measurements: Measurement) -> Assessment:
    claim = article().claim(id)
    assert claim is not None
    return assess_claim(claim, [run_of(measurements)])


def verdicts(assessment: Assessment) -> dict[str, Verdict]:
    """By the English name of each regime that was measured."""
    return {result.regime.name.en: result.verdict for result in assessment.results if result.judged}
