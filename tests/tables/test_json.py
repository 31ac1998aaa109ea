"""What is no number is null in every JSON that others read."""

from __future__ import annotations

import json
import math
from types import MappingProxyType

from tbench.tables.json import dumps, finite


def test_what_is_no_number_is_null_wherever_it_stands() -> None:
    deep = {"a": (math.nan, 1.5), "b": MappingProxyType({"c": [math.inf, -math.inf, "inf", True, 3]})}
    assert json.loads(dumps(deep)) == {"a": [None, 1.5], "b": {"c": [None, None, "inf", True, 3]}}
    assert finite(math.inf) is None and finite(0.0) == 0.0 and finite("nan") == "nan" and finite(None) is None


def test_figures_keep_their_full_precision() -> None:
    assert json.loads(dumps({"a": 0.1 + 0.2})) == {"a": 0.1 + 0.2}


def test_for_machines_it_is_ascii_and_close() -> None:
    assert dumps({"a": "×", "b": 1}) == '{\n  "a": "×",\n  "b": 1\n}\n'
    assert dumps({"a": "×", "b": 1}, indent=None, ascii=True) == '{"a":"\\u00d7","b":1}\n'
