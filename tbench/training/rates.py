"""Which learning rate suits an arm: tried at full length, and chosen for each seed by the others. Pure, no torch.

A rate chosen on the seed that it is then judged on flatters its arm, and a choice made once leaves its own variance out
of the interval over seeds. So every seed is run with every rate that may be the best, and the rate of a seed is the one
with which the *other* seeds ended lowest.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

WIDEST = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
SCOUTS = 2  # seeds that try every rate
# Nats: rates that end so much higher than the best are not tried by further seeds. How far two rates are apart differs
# between seeds by about 0.01, so that of two equal rates one is left out once in a hundred times.
BEHIND = 0.03

Losses = dict[tuple[int, float], float]  # by seed and rate; infinite for a run that diverged


def search(rates: Sequence[float], seeds: Sequence[int], run: Callable[[int, float], float]) -> Losses:
    """Every run that is needed. The first seeds try all `rates`, the others those that came near the best; then, as
    before among the first, all try further ones of `WIDEST` for as long as the best is the least or the greatest of
    those tried. `run` returns the loss."""
    losses, scouts = Losses(), list(seeds)[:SCOUTS]

    def tried() -> list[float]:
        return sorted({rate for _, rate in losses})

    def take(which: Sequence[int], wanted: Sequence[float]) -> None:
        while wanted:
            for seed in which:
                losses.update({(seed, rate): run(seed, rate) for rate in wanted})
            ended = means(losses, which)
            wanted = beyond(min(ended, key=ended.__getitem__), tried())

    take(scouts, sorted(rates))
    ended = means(losses, scouts)
    near = [rate for rate in tried() if ended[rate] <= min(ended.values()) + BEHIND]
    for seed in list(seeds)[SCOUTS:]:
        losses.update({(seed, rate): run(seed, rate) for rate in near})
    common = means(losses, seeds)
    take(list(seeds), beyond(min(common, key=common.__getitem__), tried()))
    return losses


def beyond(best: float, tried: Sequence[float]) -> list[float]:
    """The next rate outside of those tried, if the best of them is at that end."""
    lower = [rate for rate in WIDEST if rate < tried[0]]
    higher = [rate for rate in WIDEST if rate > tried[-1]]
    if best == tried[0] and lower:
        return [lower[-1]]
    return [higher[0]] if best == tried[-1] and higher else []


def means(losses: Mapping[tuple[int, float], float], seeds: Sequence[int]) -> dict[float, float]:
    """Mean loss by rate, of the rates that all of the seeds were run with."""
    rates = [rate for rate in sorted({rate for _, rate in losses}) if all((seed, rate) in losses for seed in seeds)]
    return {rate: statistics.fmean(losses[seed, rate] for seed in seeds) for rate in rates}


def chosen(losses: Mapping[tuple[int, float], float]) -> dict[int, float]:
    """By seed, the rate with which the others ended lowest; of a seed that is alone, its own best."""
    seeds = sorted({seed for seed, _ in losses})
    common = means(losses, seeds)
    picks = {}
    for seed in seeds:
        others = means(losses, [other for other in seeds if other != seed] or seeds)
        picks[seed] = min(common, key=others.__getitem__)
    return picks
