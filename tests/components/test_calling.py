"""How a function of the user's own is called: keywords it has, factories, and what it cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tbench.components import calling
from tbench.components.attention import own as attention_own
from tbench.errors import KernelError, Unsupported
from tests.components.cases import problem


def keywords(function: Callable[..., Any], **given: Any) -> dict[str, Any]:
    return attention_own.keywords(function, problem(**given))


def test_attention_is_given_what_it_takes_by_name() -> None:
    def everything(q: Any, k: Any, v: Any, is_causal: Any, *, scale: Any, window: Any, enable_gqa: Any = 0) -> Any: ...

    assert keywords(everything) == {"is_causal": True, "scale": 0.25, "window": None}
    assert keywords(everything, kv_heads=2)["enable_gqa"] is True
    assert keywords(everything, pattern="window:9")["window"] == 9
    assert keywords(everything, causal=False)["is_causal"] is False
    decode = keywords(everything, phase="decode", pattern="window:9")  # a rolling cache: all of it is seen
    assert (decode["is_causal"], decode["window"]) == (False, None)
    assert keywords(lambda q, k, v, causal: q) == {"causal": True}
    assert keywords(lambda q, k, v: q, causal=False) == {}
    assert keywords(lambda q, k, v: q, phase="decode") == {}
    assert keywords(lambda *tensors, **options: tensors[0]) == {"causal": True}


def test_what_a_plain_function_cannot_be_told() -> None:
    def plain(q: Any, k: Any, v: Any) -> Any: ...

    with pytest.raises(KernelError, match=r"plain\(q, k, v\) takes neither causal= nor is_causal=.* causal: false"):
        keywords(plain)
    with pytest.raises(Unsupported, match="takes no window=; add it"):
        keywords(plain, causal=False, pattern="window:9")
    with pytest.raises(Unsupported, match="supports windows only, not strided; use a factory"):
        keywords(lambda q, k, v, causal, window: q, pattern="strided:4:4")


def test_a_factory_has_one_required_argument() -> None:
    assert calling.is_factory(lambda problem: None)
    assert calling.is_factory(lambda problem, block=64, *, more=1: None)
    assert not calling.is_factory(lambda q, k, v: None)
    assert not calling.is_factory(lambda q, *others: None)
    assert not calling.is_factory(lambda: None)
    assert not calling.is_factory(max)


def test_keywords_are_bound_once() -> None:
    def f(x: Any, *, by: int) -> Any:
        return x * by

    assert calling.bound(f, ["x"], {"by": 3})(2) == 6
    assert calling.bound(abs, ["x"], {}) is abs
