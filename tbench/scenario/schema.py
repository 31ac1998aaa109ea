"""The JSON Schema of a scenario file, for editors: from the same models that validate it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from tbench.catalog import COMPONENTS
from tbench.scenario.form import scenario_model, suite_model

COMMITTED = Path(__file__).with_name("scenario.schema.json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Plain(GenerateJsonSchema):
    """Without titles and defaults: both would only repeat names, and `null` is no value a key may have."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])


def scenario_schema() -> dict[str, Any]:
    """Schema of every scenario file: with `parts` a suite, otherwise by its component."""
    models = {name: scenario_model(component) for name, component in COMPONENTS.items()}
    every = [(model, "validation") for model in (*models.values(), suite_model())]
    references, definitions = models_json_schema(every, schema_generator=Plain)  # type: ignore[arg-type]
    refer = {model: reference for (model, _), reference in references.items()}
    by_component = [
        {"if": {"properties": {"component": {"const": name}}, "required": ["component"]}, "then": refer[model]}
        for name, model in models.items()
    ]
    single = {"required": ["component"], "properties": {"component": {"enum": list(models)}}, "allOf": by_component}
    return {
        "$schema": DIALECT,
        "title": "A tbench scenario",
        "type": "object",
        "if": {"required": ["parts"]},
        "then": refer[suite_model()],
        "else": single,
        "$defs": definitions["$defs"],
    }


def schema_text() -> str:
    """The schema as it is printed and committed."""
    return json.dumps(scenario_schema(), indent=2, ensure_ascii=False) + "\n"
