"""A component that is not timed. `hostile_server` registers it where workers are forked."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from tbench.catalog import COMPONENTS
from tbench.components.registry import Axis, Component
from tbench.errors import Unsupported
from tbench.records import Case


def experiment(case: Case, seed: int) -> dict[str, Any]:
    import torch

    what = case["what"]
    if what == "dies":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "refuses":
        raise Unsupported("only on Sundays")
    if what == "sleeps":
        time.sleep(600)
    return {"answer": 42, "seed": seed, "threads": torch.get_num_threads(), "losses": [1.5, 1.25]}


COMPONENT = Component(
    name="test-experiment",
    about="for tests",
    axes=(Axis("number", "int", "tells cases apart"), Axis("what", "choice", "what happens", default="answers")),
    phases=("train",),
    variant_axis="what",
    complete=lambda values: values,
    peak=lambda case, variant: 1000,
    experiment=True,
)
for name in ("answers", "dies", "refuses", "sleeps"):
    COMPONENT.variant(name, about=name)(experiment)


def register() -> None:
    COMPONENTS[COMPONENT.name] = COMPONENT
