"""A case of the block, as its attention's factory and its formulas see it. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tbench.components.problem import Problem
from tbench.model.config import ModelConfig
from tbench.records import Case, Value

SIZES = ("hidden", "heads", "kv_heads", "head_dim", "ffn_hidden", "rope_base")
SWITCHES = ("norm", "norm_position", "activation", "position_encoding", "bias")


@dataclass(kw_only=True)
class BlockProblem(Problem):
    """Sizes and switches of one block, and what is done with it."""

    @cached_property
    def config(self) -> ModelConfig:
        case = self.case
        return ModelConfig(
            **{size: case.integer(size) for size in SIZES},
            **{switch: str(case[switch]) for switch in SWITCHES},
            max_positions=self.seq_len,  # of a learned table, which is outside the block
        )

    @property
    def queries(self) -> int:
        """N: tokens that go through the block in one call: all, or in decode the last one."""
        return 1 if self.decode else self.seq_len

    @property
    def first(self) -> int:
        """Position of the first of them."""
        return self.seq_len - self.queries

    def attention_case(self) -> Case:
        """The attention inside, as a case of its own component."""
        axes: dict[str, Value] = {
            "batch": self.batch,
            "seq_len": self.seq_len,
            "heads": self.config.heads,
            "kv_heads": self.config.kv_heads,
            "head_dim": self.config.head_dim,
            "causal": True,
            "pattern": "full",
            "kernel": self.case["kernel"],
        }
        return Case("attention", self.phase, self.device, self.dtype, tuple(axes.items()))
