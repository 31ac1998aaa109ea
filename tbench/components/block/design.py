"""The switches of a block and the sizes that follow from them. No torch.

    2017    x = norm(x + attention(x));  x = norm(x + feedforward(x))       Vaswani et al. 2017, §3.1 (post-norm)
    2024    x = x + attention(norm(x));  x = x + feedforward(norm(x))       Llama 3 (pre-norm)

The feed-forward layer of 2017 is two matrices of hidden × inner with ReLU between them. A gated one (SwiGLU, Shazeer
2020) has three and, for the same number of parameters, two thirds of the width. Absolute positions are added to the
embeddings, outside the block; rotary ones turn queries and keys in every block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tbench.components.feedforward.formulas import matched_width
from tbench.records import Case, Value

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
GATED = ("swiglu",)


@dataclass(frozen=True)
class Design:
    """Symbols in comments: B batch, N seq_len, D hidden, H heads, G kv_heads, d head_dim, F inner width."""

    phase: str
    device: str
    dtype: str
    batch: int
    seq_len: int
    hidden: int
    heads: int
    head_dim: int
    inner: int
    design: str
    placement: str
    norm: str
    activation: str
    kv_heads: int
    position: str
    kernel: str

    @staticmethod
    def of(case: Case) -> Design:
        fields = Design.__dataclass_fields__
        axes: dict[str, Any] = {name: value for name, value in case.axes if name in fields}
        return Design(case.phase, case.device, case.dtype, **axes)

    @property
    def decode(self) -> bool:
        return self.phase == "decode"

    @property
    def backward(self) -> bool:
        return self.phase == "forward_backward"

    @property
    def queries(self) -> int:
        """Tokens that go through the block in one call: all, or in decode the last one."""
        return 1 if self.decode else self.seq_len

    @property
    def gated(self) -> bool:
        return self.activation in GATED

    @property
    def width(self) -> int:
        """F: width inside the feed-forward layer; about two thirds if gated, so that parameters match."""
        width = matched_width(self.inner) if self.gated else self.inner
        assert width is not None  # `complete` refuses what has no match
        return width

    @property
    def itemsize(self) -> int:
        return BYTES[self.dtype]

    @property
    def rotary(self) -> bool:
        return self.position == "rope"

    def weights(self) -> dict[str, tuple[int, ...]]:
        """Every learned tensor by name, (out, in) for matrices."""
        attention, shared = self.heads * self.head_dim, self.kv_heads * self.head_dim
        named: dict[str, tuple[int, ...]] = {
            "query": (attention, self.hidden),
            "key": (shared, self.hidden),
            "value": (shared, self.hidden),
            "out": (self.hidden, attention),
            "up": (self.width, self.hidden),
            "down": (self.hidden, self.width),
            "norm1": (self.hidden,),
            "norm2": (self.hidden,),
        }
        if self.gated:
            named["gate"] = (self.width, self.hidden)
        if self.norm == "layernorm":
            named |= {"bias1": (self.hidden,), "bias2": (self.hidden,)}
        return named

    @property
    def matrix_parameters(self) -> int:
        return sum(size[0] * size[1] for size in self.weights().values() if len(size) == 2)

    @property
    def parameters(self) -> int:
        return self.matrix_parameters + sum(size[0] for size in self.weights().values() if len(size) == 1)

    def attention_case(self) -> Case:
        """The attention inside, as a case of its own component."""
        axes: dict[str, Value] = {
            "batch": self.batch,
            "seq_len": self.seq_len,
            "heads": self.heads,
            "kv_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "causal": True,
            "pattern": "full",
            "kernel": self.kernel,
        }
        return Case("attention", self.phase, self.device, self.dtype, tuple(axes.items()))
