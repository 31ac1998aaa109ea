"""Every component there is, by name. Importing this loads no torch; a variant imports it when it is set up."""

from __future__ import annotations

from tbench.components.attention import ATTENTION
from tbench.components.block import BLOCK
from tbench.components.canary import CANARY
from tbench.components.feedforward import FEEDFORWARD
from tbench.components.kv import KV
from tbench.components.norm import NORM
from tbench.components.position import POSITION
from tbench.components.registry import Component
from tbench.training.component import TRAINING

COMPONENTS: dict[str, Component] = {
    component.name: component for component in (ATTENTION, NORM, FEEDFORWARD, POSITION, BLOCK, KV, TRAINING, CANARY)
}


def get(name: str) -> Component:
    """The component called `name`. Raises KeyError."""
    return COMPONENTS[name]
