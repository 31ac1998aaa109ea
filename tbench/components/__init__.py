"""What is compared. Importing this loads no torch; a component's variants import it when they are set up."""

from __future__ import annotations

from tbench.components.attention import ATTENTION
from tbench.components.block import BLOCK
from tbench.components.feedforward import FEEDFORWARD
from tbench.components.kv import KV
from tbench.components.norm import NORM
from tbench.components.position import POSITION
from tbench.components.registry import Component

COMPONENTS: dict[str, Component] = {
    component.name: component for component in (ATTENTION, NORM, FEEDFORWARD, POSITION, BLOCK, KV)
}


def get(name: str) -> Component:
    """The component called `name`. Raises KeyError."""
    return COMPONENTS[name]
