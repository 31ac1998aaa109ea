"""The smallest parts of the form: one value, parsed by a function whose complaint is told as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from tbench.yamlfile.reader import REFUSED

SAID = "said"  # type of an error whose message is for the user as it is
PASSED_OVER = "refused"  # type of an error that has been told already
SKIPPED: Any = None  # the default of optional keys; never read, only keys that are set are


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


def leaf(parse: Callable[[Any], Any], schema: dict[str, Any]) -> Any:
    """A type whose values go through `parse`, which raises ValueError with a sentence."""

    def checked(value: Any) -> Any:
        if holds_refused(value):
            raise PydanticCustomError(PASSED_OVER, "refused")
        try:
            return parse(value)
        except ValueError as error:
            raise PydanticCustomError(SAID, "{sentence}", {"sentence": str(error)}) from None

    return Annotated[Any, PlainValidator(checked), WithJsonSchema(schema)]


def holds_refused(value: Any) -> bool:
    """Whether a value, or anything in it, was refused when it was read."""
    if isinstance(value, dict):
        return any(holds_refused(inner) for inner in value.values())
    if isinstance(value, list):
        return any(holds_refused(inner) for inner in value)
    return value is REFUSED
