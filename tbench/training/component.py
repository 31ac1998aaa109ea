"""The experiments as a component: a case is one arm, its findings what `arms.run_arm` found. No torch here.

    training/train device=cpu dtype=float32 experiment=ladder arm=2024 budget=quick

Arms are paired by the run's seed, so every case must be given the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tbench.components.registry import Axis, Component, Impossible
from tbench.records import Case, Value
from tbench.training.experiments import EXPERIMENTS, PACKED, SHIFT

ARMS: Mapping[str, tuple[str, ...]] = {name: each.arms for name, each in EXPERIMENTS.items()} | {
    "packed": PACKED,
    "shift": SHIFT,
}
AXES = (
    Axis("experiment", "choice", "what is compared"),
    Axis(
        "arm", "choice", "one side of it", choices=tuple(dict.fromkeys(arm for arms in ARMS.values() for arm in arms))
    ),
    Axis("budget", "choice", "steps and seeds", default="full", choices=("quick", "full", "large")),
)


def complete(values: dict[str, Any]) -> dict[str, Value]:
    """Refuses an arm of another experiment."""
    arms = ARMS[values["experiment"]]
    if values["arm"] not in arms:
        raise Impossible("arm", f"{values['experiment']} has no arm {values['arm']!r}; it has {', '.join(arms)}")
    return values


TRAINING = Component(
    name="training",
    about="quality: small language models trained for comparison",
    axes=AXES,
    phases=("train",),
    variant_axis="experiment",
    complete=complete,
    peak=lambda case, variant: 2**33 if case["budget"] == "large" else 2**29,  # small models: mostly PyTorch's own
    experiment=True,
)


def limits(case: Case) -> str | None:
    large = case["budget"] == "large" and case.device == "cpu"
    return "budget=large trains models for days on a CPU; it is for a GPU" if large else None


def trained(case: Case, seed: int) -> Mapping[str, Any]:
    from tbench.training.arms import run_arm

    return run_arm(str(case["experiment"]), str(case["arm"]), str(case["budget"]), seed, case.device)


def packed(case: Case, seed: int) -> Mapping[str, Any]:
    from tbench.training.arms import run_packed

    return run_packed(str(case["arm"]), seed)


def shift(case: Case, seed: int) -> Mapping[str, Any]:
    from tbench.training.arms import run_shift

    return run_shift(str(case["arm"]), seed)


def register(name: str, about: str, carry_out: Callable[[Case, int], Mapping[str, Any]]) -> None:
    TRAINING.variant(name, about=about, dtypes=("float32",), limits=limits)(carry_out)


for name, experiment in EXPERIMENTS.items():
    register(name, experiment.about, trained)
register("packed", "logits of a document packed after another, against those of it alone", packed)
register("shift", "change of RoPE's attention logits when every position moves by the same", shift)
