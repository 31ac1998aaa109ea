"""A case as formulas and the factories of variants see it. No torch."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tbench.records import Case

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
LIGER = "liger_kernel.transformers.functional"
COMPILER = ("torch._dynamo", "torch._inductor.compile_fx")  # to import before workers are forked


@dataclass(kw_only=True)
class Problem:
    """The sizes of a case by name, and what a factory has to say about its variant.

    A factory may `hold` tensors for later calls (masks, tables), `enter` contexts its calls need, and say in `notes`
    (and in `ran`, where that is not the variant's name) what a reader of the row must know. Each component adds its
    sizes: `attention.problem.AttentionProblem`, `norm.formulas.Norm` …
    """

    case: Case = field(kw_only=False)
    ran: str = ""
    notes: list[str] = field(default_factory=list)
    contexts: ExitStack = field(default_factory=ExitStack)
    held: list[Any] = field(default_factory=list)

    # A kernel may ask for these in every call.

    @cached_property
    def phase(self) -> str:
        return self.case.phase

    @cached_property
    def device(self) -> str:
        """`cpu` or `cuda:N`."""
        return self.case.device

    @cached_property
    def dtype(self) -> str:
        """`float32`, `bfloat16` or `float16`."""
        return self.case.dtype

    @cached_property
    def batch(self) -> int:
        return self.case.integer("batch")

    @cached_property
    def seq_len(self) -> int:
        return self.case.integer("seq_len")

    @property
    def decode(self) -> bool:
        return self.phase == "decode"

    @property
    def backward(self) -> bool:
        return self.phase == "forward_backward"

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return BYTES[self.dtype]

    @property
    def half(self) -> bool:
        return self.itemsize < 4

    @property
    def tokens(self) -> int:
        return self.batch * self.seq_len

    def hold(self, kept: Any) -> Any:
        """Count a tensor that the variant keeps from call to call; returns it."""
        self.held.append(kept)
        return kept

    def takes_on(self, inner: Problem) -> None:
        """Answer for a problem inside this one: its notes, contexts and tensors."""
        self.notes += inner.notes
        self.held += inner.held
        self.enter(inner.contexts)

    def enter(self, context: Any) -> None:
        """Keep a context open for as long as the variant is used: entering it at every call would be timed."""
        self.contexts.enter_context(context)
