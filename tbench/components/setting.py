"""A case of a row-wise component, as the factory of a variant sees it. No torch."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from tbench.records import Case

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
COMPILER = ("torch._dynamo", "torch._inductor.compile_fx")  # to import before workers are forked


@dataclass
class Setting:
    """The sizes of a case by name, and what a factory has to say about its variant.

    A factory may `hold` tensors for later calls (tables), `enter` contexts its calls need, and append to `notes` what
    a reader of the row must know.
    """

    case: Case
    notes: list[str] = field(default_factory=list)
    contexts: ExitStack = field(default_factory=ExitStack)
    held: list[Any] = field(default_factory=list)

    @property
    def device(self) -> str:
        return self.case.device

    @property
    def dtype(self) -> str:
        return self.case.dtype

    @property
    def backward(self) -> bool:
        return self.case.phase == "forward_backward"

    @property
    def itemsize(self) -> int:
        return BYTES[self.dtype]

    @property
    def half(self) -> bool:
        return self.itemsize < 4

    @property
    def batch(self) -> int:
        return self.case.integer("batch")

    @property
    def seq_len(self) -> int:
        return self.case.integer("seq_len")

    @property
    def tokens(self) -> int:
        return self.batch * self.seq_len

    def hold(self, kept: Any) -> Any:
        """Count a tensor that the variant keeps from call to call; returns it."""
        self.held.append(kept)
        return kept

    def enter(self, context: Any) -> None:
        """Keep a context open for as long as the variant is used: entering it at every call would be timed."""
        self.contexts.enter_context(context)
