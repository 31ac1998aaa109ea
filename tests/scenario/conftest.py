"""The toy component, registered while a module that asks for it is tested; and a scenario out of a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tbench.catalog import COMPONENTS
from tbench.errors import ScenarioError
from tbench.scenario import Scenario, load
from tests.scenario.toy import TOY

Loads = Callable[..., Scenario]
Complains = Callable[..., list[str]]


@pytest.fixture(scope="module")
def toy() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(COMPONENTS, TOY.name, TOY)
        yield


@pytest.fixture
def loads(tmp_path: Path) -> Loads:
    """Load a scenario from its text; further arguments as for `load`."""

    def loads(text: str, *more: Any, **options: Any) -> Scenario:
        path = tmp_path / "s.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, *more, **options)

    return loads


@pytest.fixture
def complains(loads: Loads, tmp_path: Path) -> Complains:
    """The mistakes of a scenario's text: lines without the file's name, `3:1: …`."""

    def complains(text: str, *more: Any, **options: Any) -> list[str]:
        with pytest.raises(ScenarioError) as caught:
            loads(text, *more, **options)
        return [line.removeprefix(f"{tmp_path / 's.yaml'}:") for line in str(caught.value).splitlines()]

    return complains
