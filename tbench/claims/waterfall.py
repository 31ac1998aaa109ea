"""The ladder from 2017 to 2024 as one small chart: the speed since 2017 of every step, in every phase."""

from __future__ import annotations

from collections.abc import Sequence

from tbench.analysis.run import Run
from tbench.claims.ladder import FIRST, STEPS, Ladder, Step, ladders, learned
from tbench.claims.model import Language, Words
from tbench.claims.places import size
from tbench.claims.render import rung
from tbench.tables.numbers import fixed
from tbench.tables.table import Table

BAR = 8  # characters of the longest bar
EIGHTHS = " ▏▎▍▌▋▊▉█"
ORDER = ("forward_backward", "forward", "decode")
PHASES = {
    "forward_backward": Words("training step", "单步训练"),
    "forward": Words("prefill", "预填充"),
    "decode": Words("decode", "解码"),
}
TITLE = Words("2017 → 2024, step by step: speed since 2017", "2017 → 2024逐步演进：较2017年的速度")
STEP = Words("step", "步骤")
MEMORY = Words("memory", "内存")
LOSS = Words("loss", "损失")


def chart(runs: Sequence[Run], language: Language) -> Table | None:
    """A row for each step; of every phase the longest sequence that has them all. None where no ladder was measured.

    `memory`: peak memory of the first phase as a change against 2017; `loss`: held-out, nats per byte, of small models.
    """
    shown = longest(ladders(runs))
    losses = {one.name: one.loss for one in learned(runs)}
    if not shown and not losses:
        return None
    steps = {one.phase: {step.name: step for step in one.steps} for one in shown}
    names = [name for name in STEPS if name in losses or any(name in by_name for by_name in steps.values())]
    most = max([1.0, *(step.total.value for one in shown for step in one.steps if step.total)])
    headings = [STEP[language], *(_heading(one, language) for one in shown)]
    headings += [MEMORY[language]] if shown else []
    headings += [LOSS[language]] if losses else []
    lines = []
    for name in names:
        found = [by_name.get(name) for by_name in steps.values()]
        line = [rung(name), *(_bar(step, most) for step in found)]
        line += [_memory(found[0])] if shown else []
        line += [f"{losses[name]:.3f}" if name in losses else ""] if losses else []
        lines.append(line)
    return Table.of_words(headings, lines, TITLE[language])


def longest(found: Sequence[Ladder]) -> list[Ladder]:
    """One ladder for each phase: of those with the most steps that of the longest sequence."""
    best: dict[str, Ladder] = {}
    for one in sorted(found, key=lambda one: (len(one.steps), _length(one))):
        best[one.phase] = one
    return [best[phase] for phase in ORDER if phase in best]


def _length(one: Ladder) -> int:
    length = dict(one.sizes).get("seq_len")
    return length if isinstance(length, int) else 0


def _heading(one: Ladder, language: Language) -> str:
    return f"{PHASES[one.phase][language]} {size(_length(one))}"


def _bar(step: Step | None, most: float) -> str:
    if step is None or (step.total is None and step.name != FIRST):
        return ""
    speed = step.total.value if step.total else 1.0
    return f"{blocks(speed / most, BAR)} {fixed(speed, 2 if speed < 2 else 1)}×"


def blocks(share: float, width: int) -> str:
    """A bar of `share` of the width, to an eighth of a character, padded to the width."""
    whole, rest = divmod(round(8 * width * min(max(share, 0.0), 1.0)), 8)
    return ("█" * whole + (EIGHTHS[rest] if rest else "")).ljust(width)


def _memory(step: Step | None) -> str:
    if step is None or not step.memory:
        return ""
    return f"{100 * (1 / step.memory - 1):+.0f}%".replace("-", "−")
