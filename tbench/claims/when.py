"""Where something holds and where not, in a few words: the leaves of a tree, ranges of sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tbench.claims.model import NOTHING, Language, Words
from tbench.claims.places import size
from tbench.claims.stump import Condition, Leaf, number
from tbench.records import Value

REGIME = "regime"  # an axis beside those of the cases: the number of the regime
SHORT: Mapping[str, Words] = {
    "forward": Words("forward", "前向"),
    "forward_backward": Words("training", "训练"),
    "decode": Words("decode", "解码"),
}
BARE = (REGIME, "phase", "pattern", "kernel", "arm", "norm", "activation", "position_encoding", "kv_sharing")
LENGTHS = ("seq_len", "at")  # told without their name
TIMES: Mapping[str, Words] = {"at": Words("×", "倍")}


def holding(leaves: Sequence[Leaf], names: Mapping[Value, Words], language: Language) -> str:
    """`≥1K, not decode`: where it holds; of alternatives each, `decode; ≥4K`. `names`: of the regimes."""
    places = [_place(leaf, names, language) for leaf in leaves if leaf.holds]
    return ("; " if language == "en" else "；").join(places)


def _place(leaf: Leaf, names: Mapping[Value, Words], language: Language) -> str:
    """The conditions on the way to a leaf: what is, then what is not."""
    said = [(condition, met) for condition, met in leaf.way]
    positive = [_words(one, met, names, language) for one, met in said if met or one.below is not None]
    negative = [_words(one, met, names, language) for one, met in said if not met and one.below is None]
    return ("，" if language == "zh" else ", ").join([*positive, *negative])


def _words(one: Condition, met: bool, names: Mapping[Value, Words], language: Language) -> str:
    if one.below is not None:
        return bound(one.axis, one.value if met else one.below, met, language)
    name = value_words(one.axis, one.value, names, language)
    if met:
        return name
    return f"not {name}" if language == "en" else f"{name}除外"


def bound(axis: str, value: Value, at_least: bool, language: Language) -> str:
    """`≥1K`, `≤1.5×`, `head_dim ≥ 128`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    read = f"{size(value)}{TIMES.get(axis, NOTHING)[language]}"
    sign = "≥" if at_least else "≤"
    return f"{sign}{read}" if axis in LENGTHS else f"{axis} {sign} {read}"


def value_words(axis: str, value: Value, names: Mapping[Value, Words], language: Language) -> str:
    """`decode`, `window:256`, `causal=true`."""
    if axis == REGIME:
        return names[value][language]
    if axis == "phase" and value in SHORT:
        return SHORT[str(value)][language]
    return size(value) if axis in BARE else f"{axis}={size(value)}"


def extent(axis: str, values: Sequence[Value], language: Language) -> str:
    """All sizes that were measured: `512–16K`; empty where there is one, or the axis has no numbers."""
    sizes = sorted({float(value) for value in values if number(value)})
    if len(sizes) < 2:
        return ""
    first, last = (size(int(end) if end.is_integer() else end) for end in (sizes[0], sizes[-1]))
    return f"{first}–{last}{TIMES.get(axis, NOTHING)[language]}" if axis in LENGTHS else f"{axis} {first}–{last}"
