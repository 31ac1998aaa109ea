"""Every component there is, by name. Importing this loads no torch; a variant imports it when it is set up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tbench.components.attention import ATTENTION
from tbench.components.block import BLOCK
from tbench.components.canary import CANARY
from tbench.components.feedforward import FEEDFORWARD
from tbench.components.kv import KV
from tbench.components.norm import NORM
from tbench.components.position import POSITION
from tbench.components.registry import Component, Factory
from tbench.training.component import TRAINING

COMPONENTS: dict[str, Component] = {
    component.name: component for component in (ATTENTION, NORM, FEEDFORWARD, POSITION, BLOCK, KV, TRAINING, CANARY)
}


def register(component: str, name: str, about: str, **declared: Any) -> Callable[[Factory], Factory]:
    """A decorator that makes a factory a variant of a component: `@tbench.register("norm", "mine", about="…")`.

    The factory takes the problem (`tbench.Problem`) and returns what is timed. `declared`: `devices`, `phases`,
    `dtypes`, `requires`, `workspace` …, as in `components.registry.Variant`. Workers find it where its module is
    imported in the server of workers: name the module in `preload`. Raises KeyError for an unknown component, ValueError
    and TypeError for a declaration that makes no sense.
    """
    return get(component).variant(name, about=about, **declared)


def get(name: str) -> Component:
    """The component called `name`. Raises KeyError."""
    return COMPONENTS[name]
