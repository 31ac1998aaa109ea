"""When sampling may stop: at which rounds that is asked, and how sure the answer must be. Pure.

Whoever looks after every round and stops at the first interval that happens to be narrow stops where the rounds agree
by chance: such an interval holds the truth too seldom (group-sequential designs: Armitage, McPherson & Rowe 1969,
"Repeated significance tests on accumulating data"). Hence two measures.

**Few looks**, after 5, 8, 12, 18, 27, 40, 60 … rounds, each half as many again as the one before.

**A stricter level for stopping than for printing.** With R of at most M rounds, the interval that must be inside the
target has the confidence

    1 − 5% · R / M,

which spends the 5% in proportion to the rounds (Lan & DeMets 1983, "Discrete sequential boundaries for clinical
trials", with a linear spending function): 97.9%, 96.7% and 95% at 5, 8 and 12 of 12. The printed interval is that of
95%.

Chosen by simulation (`tests/analysis/test_coverage.py`) over 95% at every look, which leaves 92% at the border of what
can be reached and costs half a round to a round less, and over 1 − 5% · (R/M)², which costs another half a round and
covers no more. Six kinds of noise (normal, of processes or mostly of turns; Student's t with 3 degrees of freedom;
exponential; one turn in twenty 30% slower; 15% of rounds slower), ±2% in at most 12 rounds of four turns: of the rows
that met the target, the printed interval holds the truth in 94–98% where at least seven in ten rows meet it. Where half
of them do it is 91–96%, and below no rule can help: rows that meet a target their noise does not allow are
those whose rounds agreed by luck.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from tbench.analysis.statistics import Rounds, interval, ratio

CONFIDENCE = 0.95
FIRST = 5  # with fewer, t makes the interval so wide that more rounds are the cheaper way
GROWTH = 1.5
# A comparison stands on a ratio known to ±10%, two digits, or to five times the target where that is less.
DECISIVE_TARGETS = 5.0
DECISIVE_WIDTH = 0.10


def looks(least: int, most: int) -> tuple[int, ...]:
    """The rounds after which it is asked whether to stop: 5, 8, 12, 18, 27, 40, 60 … from `least` on, `most` the last.

    With `least` below 5 the first look is there: who asks for few rounds gets few.
    """
    return (*sorted({least, *(number for number in _series(most) if least < number < most)} - {most}), most)


def _series(most: int) -> Iterator[int]:
    number = 8 / GROWTH
    while number < most:
        yield math.floor(number)
        number *= GROWTH


def stopping_confidence(rounds: int, most: int) -> float:
    """The confidence at which an interval must be inside the target to stop after `rounds` of at most `most`."""
    return 1 - (1 - CONFIDENCE) * min(rounds / most, 1.0)


def precise(rounds: Rounds, target: float, most: int) -> bool:
    """Whether the median is known to ±`target`, surely enough to stop here."""
    width = interval(rounds, stopping_confidence(len(rounds), most)).relative_half_width
    return width is not None and width <= target


def decided(base: Rounds, case: Rounds, target: float, number_of_looks: int) -> bool:
    """Whether the comparison stands: `case` is surely faster or surely slower than `base`, and its ratio is known well.

    At every look the interval has the confidence 1 − 5% / looks (Bonferroni), so that all looks together find a
    difference where there is none in 5% of comparisons at most, in either direction 2.5%; by simulation it is below 1%.
    """
    found = ratio(base, case, 1 - (1 - CONFIDENCE) / number_of_looks)
    if found.low is None or found.high is None or found.relative_half_width is None or found.n_rounds < 2:
        return False
    known = found.relative_half_width <= min(DECISIVE_WIDTH, DECISIVE_TARGETS * target)
    return known and not found.low <= 1 <= found.high
