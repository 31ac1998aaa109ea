"""`tbench schema`: the JSON Schema of a scenario, on standard output."""

from __future__ import annotations

import sys


def schema() -> None:
    """Print the schema; it is the one committed as `scenario.schema.json`."""
    from tbench.scenario.schema import schema_text

    sys.stdout.write(schema_text())
