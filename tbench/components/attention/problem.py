"""The shapes of one attention operation, and what the variant that computes it has to say about itself.

    queries  q  (batch, heads,    queries, head_dim)
    keys     k  (batch, kv_heads, keys,    head_dim)      group = heads // kv_heads queries share a KV head
    values   v  (batch, kv_heads, keys,    head_dim)

In decode there is one query, at the last position, and k and v are the cache: everything up to that position, or
the last `window` entries where a window makes a rolling cache possible (Mistral 7B, Jiang et al. 2023, §2). With ragged
`lengths` a sequence of the batch fills only the beginning of its cache, as those that a server decodes together do;
what lies behind holds numbers that must not be read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tbench.components.problem import Problem
from tbench.model.pattern import Full, Pattern, Window, pattern
from tbench.records import Case

RAGGED = "ragged"  # value of the axis `lengths`


@dataclass(kw_only=True)
class AttentionProblem(Problem):
    """One layer's attention: sizes as above, `causal`, and a plain `pattern`, never a stack."""

    heads: int
    kv_heads: int
    head_dim: int
    queries: int
    keys: int
    causal: bool
    pattern: Pattern
    lengths: tuple[int, ...] = ()  # keys of each sequence, where they differ

    @property
    def group(self) -> int:
        """Query heads that share a KV head: 1 is MHA, heads is MQA, between them GQA."""
        return self.heads // self.kv_heads

    @property
    def scale(self) -> float:
        return 1 / math.sqrt(self.head_dim)

    @property
    def dense(self) -> bool:
        """Whether no mask is needed: every query sees every key."""
        return self.plain and not self.causal and not self.lengths

    @property
    def plain(self) -> bool:
        """Whether the pattern keeps everything, because it is full or wider than the sequence."""
        reach = self.pattern.reach
        return isinstance(self.pattern, Full) or (reach is not None and reach >= self.keys)

    @property
    def window_sides(self) -> tuple[int, int]:
        """(keys to the left, keys to the right) beside the query's own, as FlashAttention counts; -1 is no limit."""
        reach = self.pattern.reach
        left = -1 if reach is None else reach - 1
        return left, 0 if self.causal else left

    @property
    def first_query(self) -> int:
        """Position of the first query, counted in keys."""
        return self.keys - 1 if self.decode else 0

    def keys_of(self, sequence: int) -> int:
        """How many keys a sequence of the batch has."""
        return self.lengths[sequence] if self.lengths else self.keys

    def kept(self, q: Any, k: Any) -> Any:
        """Whether a query sees a key, pattern and causality together (positions as in `Pattern.keeps`)."""
        seen = self.pattern.keeps(q, k)
        return seen & (k <= q) if self.causal else seen


def layers(case: Case) -> tuple[AttentionProblem, ...]:
    """The problems a case is made of: one, or one for each layer of an alternating stack."""
    return tuple(layer(case, one) for one in pattern(str(case["pattern"])).layers)


def layer(case: Case, one: Pattern) -> AttentionProblem:
    decode, seq_len = case.phase == "decode", case.integer("seq_len")
    rolling = one.window if decode and isinstance(one, Window) else None  # that cache holds nothing out of the window
    keys = seq_len if rolling is None else min(seq_len, rolling)
    ragged = spaced(seq_len, case.integer("batch")) if case.get("lengths") == RAGGED else ()
    lengths = tuple(min(keys, one) for one in ragged)
    return AttentionProblem(
        case,
        heads=case.integer("heads"),
        kv_heads=case.integer("kv_heads"),
        head_dim=case.integer("head_dim"),
        queries=1 if decode else seq_len,
        keys=keys,
        causal=bool(case["causal"]) and not decode,  # the last position sees all of the cache
        pattern=one if rolling is None else Full(),
        lengths=lengths if len(set(lengths)) > 1 else (),  # rolling caches may all be full
    )


def spaced(longest: int, count: int) -> tuple[int, ...]:
    """Lengths at equal distances, the last of them the longest."""
    return tuple(math.ceil(longest * number / count) for number in range(1, count + 1))
