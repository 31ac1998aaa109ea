"""How long a training step of one design takes against another's, side by side in one process.

Arms are trained one after the other, in processes that share the machine with others: seconds of one are no measure of
the other. Here both train on the same core in turns, A B B A, so that whatever the machine does meets both alike.
"""

from __future__ import annotations

import statistics
import time

from tbench.model.transformer import Decoder
from tbench.training.settings import Setting
from tbench.training.trainer import Data, Training

PAIRS = 8  # of turns
STEPS = 5  # of a turn


def pace(own: Setting, other: Setting, data: Data, device: str) -> float:
    """Time of a step of `own` ÷ time of a step of `other`: the middle of several pairs of turns."""
    first, second = (
        Training(Decoder(one.config, one.seed).to(device), data, one.loop, one.seed) for one in (own, other)
    )
    for training in (first, second):
        turn(training)  # the first steps allocate
    ratios = []
    for pair in range(PAIRS):
        if pair % 2 == 0:
            numerator, denominator = turn(first), turn(second)
        else:
            denominator, numerator = turn(second), turn(first)
        ratios.append(numerator / denominator)
    return statistics.median(ratios)


def turn(training: Training) -> float:
    """Seconds of some steps, the first of the schedule: that the model learns from them is of no interest."""
    began = time.perf_counter()
    for step in range(STEPS):
        training.step(step)
    return time.perf_counter() - began
