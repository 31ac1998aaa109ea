"""A file's data against its pydantic model; pydantic's errors in the words of whoever wrote the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from tbench.components.registry import Component
from tbench.scenario.axes import vocabulary
from tbench.scenario.form import scenario_model, suite_model, top_keys
from tbench.scenario.leaf import PASSED_OVER, SAID, Section
from tbench.scenario.sampling import sampling_model
from tbench.yamlfile.mistakes import Loc, Mistakes, did_you_mean, shown
from tbench.yamlfile.reader import REFUSED

WANTED = {"list_type": "a list", "model_type": "a mapping", "dict_type": "a mapping"}


def validated(data: Mapping[str, Any], component: Component | None, mistakes: Mistakes) -> dict[str, Any]:
    """The file's values, canonical, only those keys that are given. `component` None: a suite.

    What is wrong goes to `mistakes`; then the result is empty.
    """
    model = suite_model() if component is None else scenario_model(component)
    words = () if component is None else tuple(vocabulary(component))
    try:
        form: dict[str, Any] = model.model_validate(data).model_dump(exclude_unset=True)
    except ValidationError as errors:
        for error in errors.errors(include_url=False):
            tell(error, model, words, mistakes)
        return {}
    return form


def tell(error: Mapping[str, Any], model: type[Section], axes: Iterable[str], mistakes: Mistakes) -> None:
    """One of pydantic's errors, with its place."""
    loc: Loc = error["loc"]
    kind, found = error["type"], error["input"]
    name = next((step for step in reversed(loc) if isinstance(step, str)), "")
    if kind == PASSED_OVER or found is REFUSED:
        if not mistakes.found:  # cannot be: it was refused because it was told
            raise AssertionError(f"refused without a word: {loc}")
    elif kind == SAID:
        mistakes.add(loc, f"{name}: {error['ctx']['sentence']}")
    elif kind == "extra_forbidden":
        mistakes.add(loc, unknown(loc, list(model.model_fields), list(axes)), at_key=True)
    elif kind == "missing":
        mistakes.add(loc[:-1], f"{name} is missing; add `{name}: …`")
    elif kind == "too_short":
        mistakes.add(loc, f"{name}: an empty list; give at least one value, or remove the key")
    elif kind == "list_type" and loc[:1] == ("sweep",):
        mistakes.add(loc, f"{name}: a list is needed, not {shown(found)}; one value belongs under fixed")
    elif kind in WANTED:
        mistakes.add(loc, f"{name}: {WANTED[kind]} is needed, not {shown(found)}")
    else:
        mistakes.add(loc, f"{name}: {error['msg']}")


def unknown(loc: Loc, top: list[str], axes: list[str]) -> str:
    """What to say of a key that does not belong where it stands."""
    key, around = str(loc[-1]), loc[:-1]
    if not around:
        if key in axes:
            return f"{shown(key)} is an axis; write it under fixed or sweep"
        if not axes and key in top_keys():
            return f"{shown(key)} has no place beside parts; write it in one of the parts"
        return f"unknown key {shown(key)}{did_you_mean(key, top)}"
    if around[-1] == "sampling":
        return f"unknown key {shown(key)}{did_you_mean(key, sampling_model().model_fields)}"
    if key in top:
        return f"{shown(key)} does not belong under {around[0]}; move it to the left edge"
    return f"unknown axis {shown(key)}{did_you_mean(key, axes)}"
