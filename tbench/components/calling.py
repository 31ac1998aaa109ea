"""How a function of the user's own wants to be called, told from its signature before anything is timed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tbench.errors import KernelError

ANY = "**"  # stands for a function's `**options` among the keywords it takes
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

_remark = ""  # how the last function was called: a worker holds one case


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """None for a function that does not tell (many of those written in C)."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def is_factory(function: Callable[..., Any]) -> bool:
    """Whether it is a factory, which takes the setting of a case and returns what is timed.

    A factory has exactly one required positional argument; everything else is a plain function that takes tensors.
    """
    signature = signature_of(function)
    if signature is None:
        return False
    every = signature.parameters.values()
    required = [one for one in every if one.kind in POSITIONAL and one.default is one.empty]
    return len(required) == 1 and not any(one.kind is one.VAR_POSITIONAL for one in every)


def keywords_of(function: Callable[..., Any]) -> frozenset[str] | None:
    """What it takes by name; None for a function that does not tell."""
    signature = signature_of(function)
    if signature is None:
        return None
    every = signature.parameters.values()
    named = {one.name for one in every if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    return frozenset(named | {ANY for one in every if one.kind is one.VAR_KEYWORD})


def made(factory: Callable[..., Any], setting: Any) -> Callable[..., Any]:
    """What a factory returns for a setting. Raises KernelError where that cannot be called, and what it raises."""
    name = name_of(factory)
    remember(f"{name} has one required argument, so it was called as a factory, with the {type(setting).__name__}")
    kernel = factory(setting)
    if not callable(kernel):
        raise KernelError(
            f"{told(factory)} was called as a factory (one required argument) and returned {kind(kernel)}"
        )
    result: Callable[..., Any] = kernel
    return result


def bound(function: Callable[..., Any], tensors: Sequence[str], keywords: Mapping[str, Any]) -> Callable[..., Any]:
    """The function with its keywords, as it will be timed. Raises KernelError if it cannot be called so."""
    named = [f"{name}={'…' if hasattr(value, 'shape') else value}" for name, value in keywords.items()]
    call = f"{name_of(function)}({', '.join([*tensors, *named])})"
    signature = signature_of(function)
    if signature is not None:
        try:
            signature.bind(*tensors, **keywords)
        except TypeError as error:
            raise KernelError(f"{told(function)} cannot be called as {call}: {error}") from None
    remember(f"it was called as {call}")
    return partial(function, **keywords) if keywords else function


def told(function: Callable[..., Any]) -> str:
    """The function's name and arguments, as they are written but without types."""
    signature = signature_of(function)
    if signature is None:
        return name_of(function)
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    return f"{name_of(function)}{signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)}"


def name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)


def kind(value: object) -> str:
    """What a value is, in a sentence."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def remember(remark: str) -> None:
    global _remark
    _remark = remark


def remark(problem: BaseException) -> str:
    """What to add to an error that may come from how a function was called: Python does not say who called it."""
    return f"; {_remark}" if _remark and isinstance(problem, TypeError | AttributeError) else ""
