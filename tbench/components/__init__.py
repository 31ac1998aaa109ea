"""What is compared. Importing this loads no torch; a component's variants import it when they are set up."""

from __future__ import annotations

from tbench.components.attention import ATTENTION
from tbench.components.kv import KV
from tbench.components.registry import Component

COMPONENTS: dict[str, Component] = {component.name: component for component in (ATTENTION, KV)}


def get(name: str) -> Component:
    """The component called `name`. Raises KeyError."""
    return COMPONENTS[name]
