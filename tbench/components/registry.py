"""How a component describes itself: its axes, and its variants by decorator. Imports no torch.

A component (attention, norm, …) is one `Component` object. Its variants are small decorated factories:

    @ATTENTION.variant("flash", about="tiled softmax, scores never in memory", dtypes=HALF)
    def flash(problem):
        from . import sdpa                  # torch is imported inside, so that `tbench list` starts at once
        return sdpa.backend(problem, "FLASH_ATTENTION")

The factory does all set-up and returns the callable to be timed, or raises `Unsupported("why")`. What can be
told without torch is declared (devices, phases, dtypes, required modules) and checked by `Component.unsupported`.
Kernels of the user's own, and those that installed packages offer, are variants too, made where they are named.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from tbench.components.entries import entries
from tbench.components.own import place
from tbench.errors import Unsupported
from tbench.records import Case, Value, Work

DTYPES = ("float32", "bfloat16", "float16")

Kernel = Callable[..., Any]  # what a factory returns: takes tensors, is timed
Factory = TypeVar("Factory", bound=Callable[..., Any])


@dataclass(frozen=True)
class Axis:
    """One dimension a scenario may fix or sweep.

    `kind`: `int` (positive), `bool`, `choice` (one of `choices`) or `pattern` (parsed by `parse`).
    `parse` turns what stands in YAML or on the command line into the canonical value and raises ValueError
    with a sentence. `default` None means a scenario must give it. `schema` is its JSON Schema. `phases`: those that
    have it, where not all do; then a case has the axis only where its value is not the default.
    """

    name: str
    kind: str
    help: str
    default: Value | None = None
    choices: tuple[str, ...] = ()
    parse: Callable[[Any], Value] | None = None
    schema: Mapping[str, Any] | None = None
    phases: tuple[str, ...] = ()

    def unusual(self, value: Value) -> bool:
        """Whether a case has the axis with this value."""
        return not self.phases or value != self.default


@dataclass(frozen=True)
class Variant:
    """One way to compute a component. `about` is a sentence for `tbench list`.

    `layout` names how the factory wants its inputs laid out; they are made that way outside the timed region.
    `limits` says for a case, without torch, why it cannot run (None: it may). `workspace`: bytes it needs at the peak
    beside inputs and outputs, by formula (None: next to nothing); what cannot fit is not started. `preload`: modules
    that take long to import and are better imported before workers are forked. `place`: where the user's own is, or
    an installed package's: see `own`.
    """

    name: str
    factory: Callable[..., Any]
    about: str
    devices: tuple[str, ...] = ("cpu", "cuda")
    phases: tuple[str, ...] = ()  # empty: all of the component
    dtypes: tuple[str, ...] = DTYPES
    requires: tuple[tuple[str, str], ...] = ()  # (module to find, distribution to pip install)
    layout: str = ""
    limits: Callable[[Case], str | None] | None = None
    workspace: Callable[[Any], int] | None = None
    preload: tuple[str, ...] = ()
    place: str = ""


@dataclass
class Component:
    """What is compared: a set of axes and the variants along one of them (`variant_axis`).

    `complete` fills in values that follow from others (kv_heads from heads; by default none) and refuses impossible
    combinations by raising `Impossible`. `problem` is the case as everything below sees it: the factories of variants,
    and the formulas `work`, `peak` (bytes at the highest point of a call, with a variant) and `resident` (bytes before
    it). In the worker, `build(problem, variant, seed, sets, apart)` makes what is timed on so many sets of inputs,
    which share their parameters unless they are `apart`: see `tbench.components.workload.Workload`. `own` makes a
    kernel of a place that the user named and a problem; without it the component takes none of the user's own. An
    `experiment` is a component that is not timed: its variants take a case and a seed and return findings by name (JSON
    values), in a worker on one core.
    """

    name: str
    about: str
    axes: tuple[Axis, ...]
    phases: tuple[str, ...]
    variant_axis: str
    peak: Callable[[Any, Variant], int]
    complete: Callable[[dict[str, Any]], dict[str, Value]] = dict
    problem: Callable[[Case], Any] = field(default=lambda case: case)
    work: Callable[[Any], Work] | None = None
    resident: Callable[[Any], int] = field(default=lambda problem: 0)
    build: Callable[[Any, Variant, int, int, bool], Any] | None = None
    own: Callable[[str, Any], Kernel] | None = None
    experiment: bool = False
    variants: dict[str, Variant] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if {self.work is None, self.build is None} != {self.experiment}:
            raise ValueError(f"{self.name}: give work and build, or say that it is an experiment")

    def work_of(self, case: Case) -> Work | None:
        """What the case must do at least; None for an experiment."""
        return self.work(self.problem(case)) if self.work else None

    def predict_bytes(self, case: Case) -> int:
        """Bytes at the peak: what is there before the call, the outputs, and what the variant needs beside them."""
        return self.peak(self.problem(case), self.variant_of(case))

    def resident_bytes(self, case: Case) -> int:
        """Bytes of a case between its calls: inputs, parameters, caches."""
        return self.resident(self.problem(case))

    def usual(self, name: str) -> Value | None:
        """The value of an axis that a case has only where it is another; None for any other axis."""
        return next((axis.default for axis in self.axes if axis.phases and axis.name == name), None)

    def workload(self, case: Case, seed: int, sets: int = 1, apart: bool = False) -> Any:
        """The case, set up on so many sets of inputs. Raises Unsupported, KernelError and what a factory raises."""
        assert self.build is not None, f"{self.name} is an experiment"
        return self.build(self.problem(case), self.variant_of(case), seed, sets, apart)

    def variant(self, name: str, **declared: Any) -> Callable[[Factory], Factory]:
        """Register the decorated factory under `name`; `declared` are fields of `Variant`. Raises ValueError for a
        declaration that no case could fit, and TypeError for what is no field."""

        def register(factory: Factory) -> Factory:
            made = Variant(name, factory, **declared)
            self.require_sound(made)
            self.variants[name] = made
            return factory

        return register

    def require_sound(self, variant: Variant) -> None:
        """Raises ValueError where a declaration contradicts the component or itself."""
        whose = f"{self.name} {self.variant_axis}={variant.name}"
        if variant.name in self.variants:
            raise ValueError(f"{self.name} has two variants named {variant.name!r}")
        if not variant.name or place(variant.name) is not None:
            raise ValueError(f"{whose}: use a name without a colon, which would mark a custom kernel's path")
        if not callable(variant.factory):
            raise ValueError(f"{whose}: the factory cannot be called")
        if not variant.about.strip():
            raise ValueError(f"{whose}: `about` says in a sentence what it is")
        for field_, known in (("devices", ("cpu", "cuda")), ("phases", self.phases), ("dtypes", DTYPES)):
            given = getattr(variant, field_)
            if isinstance(given, str) or not set(given) <= set(known) or (not given and field_ != "phases"):
                raise ValueError(f"{whose}: {field_} is {given!r}; give a tuple of {', '.join(known)}")
        if any(not (isinstance(pair, tuple) and len(pair) == 2) for pair in variant.requires):
            raise ValueError(f"{whose}: requires is {variant.requires!r}; give pairs (module, distribution)")

    def variant_of(self, case: Case) -> Variant:
        """The case's variant; the user's own where the case names a place. Raises KeyError."""
        name = str(case[self.variant_axis])
        if name in self.variants:
            return self.variants[name]
        if self.own is not None and place(name) is not None:
            return Variant(name, partial(self.own, name), about="your own", place=name)
        return self.offered[name]

    @property
    def offered(self) -> dict[str, Variant]:
        """Variants that installed packages offer, by name; tbench's own of the same name is not replaced."""
        if self.own is None:
            return {}
        return {
            entry.kernel: Variant(
                entry.kernel,
                partial(self.own, entry.place),
                about=f"{entry.place} of {entry.package}",
                place=entry.place,
            )
            for entry in entries()
            if entry.component == self.name and not entry.fault and entry.kernel not in self.variants
        }

    def is_own(self, case: Case) -> bool:
        """Whether the case's variant is not tbench's."""
        return str(case[self.variant_axis]) not in self.variants

    def unsupported(self, case: Case) -> str | None:
        """Why `case` cannot run, as far as it can be told without importing torch; None if it may."""
        variant = self.variant_of(case)
        kind = case.device.split(":")[0]
        if kind not in variant.devices:
            return f"{variant.name} runs on {' and '.join(variant.devices)} only"
        if variant.phases and case.phase not in variant.phases:
            return f"{variant.name} has no {case.phase} ({', '.join(variant.phases)} only)"
        if case.dtype not in variant.dtypes:
            return f"{variant.name} takes {' or '.join(variant.dtypes)}, not {case.dtype}"
        for module, distribution in variant.requires:
            if not installed(module):
                return f"needs {distribution}, which is not installed: pip install {distribution}"
        return variant.limits(case) if variant.limits else None


def beside(resident: Callable[[Any], int]) -> Callable[[Any, Variant], int]:
    """`peak` of a component whose variants count their outputs in their workspace."""
    return lambda problem, variant: resident(problem) + (variant.workspace(problem) if variant.workspace else 0)


class Impossible(ValueError):
    """A combination of values that no variant could run; `axis` is the one to point at."""

    def __init__(self, axis: str, message: str) -> None:
        super().__init__(message)
        self.axis = axis


def installed(module: str) -> bool:
    """Whether a top-level module can be found, without importing it."""
    return importlib.util.find_spec(module) is not None


def function(module: str, name: str) -> Any:
    """A function of an optional package. Raises Unsupported if the package is there but does not have it."""
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, RuntimeError, OSError) as problem:
        raise Unsupported(f"{module}.{name} cannot be imported: {problem}") from None
