"""Which models are compared, on what, at which learning rates: the experiments as data. No torch.

Every arm of an experiment is trained with each learning rate on a seed of its own, and with the best of them on the
seeds that count; all arms of a seed see the same bytes in the same order and start from the same numbers. In
`stability` nothing is chosen: every cell of its grid counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tbench.model import ladder
from tbench.model.config import CHOICES, ModelConfig, matched, reinvested
from tbench.training.settings import Loop, Setting

RATES = (3e-3, 1e-2, 3e-2)  # the last is the best for most arms of text: short runs want large steps
SEEDS_APART = 1000  # between runs with different `--seed`


@dataclass(frozen=True)
class Budget:
    """How much an experiment may take. `layers` 0: as the arm says. `tuning`: steps of a tuning run (0: all `steps`).

    `reached`: a held-out loss that a run is timed to, for experiments about speed.
    """

    steps: int
    seeds: int
    batch: int = 32
    length: int = 64
    layers: int = 0
    tuning: int = 0
    looks: int = 8
    reached: float | None = None


@dataclass(frozen=True)
class Experiment:
    """`grid`: shares of warm-up; every one with every rate counts.

    Where a loss is to be `reached`, times are told in steps of the first arm.
    """

    about: str
    arms: Mapping[str, ModelConfig]
    quick: Budget
    full: Budget
    data: str = "topics"
    rates: tuple[float, ...] = RATES
    grid: tuple[float, ...] = ()
    reach: tuple[float, ...] = ()
    interpolated: frozenset[str] = field(default_factory=frozenset)  # arms

    def budget(self, name: str) -> Budget:
        return {"quick": self.quick, "full": self.full}[name]

    def setting(self, arm: str, budget: Budget, rate: float, seed: int, warmup: float = 0.1) -> Setting:
        """One run of an arm."""
        config = self.arms[arm]
        if budget.layers:
            config = config.with_(layers=budget.layers)
        if config.position_encoding == "learned":
            config = config.with_(max_positions=budget.length)
        loop = Loop(budget.steps, rate, budget.batch, budget.length, warmup, looks=budget.looks)
        return Setting(config, loop, self.data, seed, self.reach, arm in self.interpolated)

    def tuning(self, arm: str, budget: Budget, seed: int) -> Iterator[Setting]:
        """Runs to choose the arm's rate with, none where there is nothing to choose. Their seed counts nowhere else."""
        if len(self.rates) > 1 and not self.grid:
            short = replace(budget, steps=budget.tuning or budget.steps, looks=1)  # only how it ends is asked
            for rate in self.rates:
                yield replace(self.setting(arm, short, rate, seed * SEEDS_APART), reach=(), tuning=True)

    def counting(self, arm: str, budget: Budget, rate: float, seed: int) -> Iterator[Setting]:
        """Runs that count, at the chosen rate; those of a grid at all."""
        for number in range(1, budget.seeds + 1):
            own = seed * SEEDS_APART + number
            if not self.grid:
                yield self.setting(arm, budget, rate, own)
            for warmup in self.grid:
                for each in self.rates:
                    yield self.setting(arm, budget, each, own, warmup)


SIZES = matched(  # 230,000 parameters
    ModelConfig(layers=4, hidden=64, heads=4, kv_heads=4, head_dim=16, ffn_hidden=256, vocab=256)
)
SHARED = SIZES.with_(heads=8, kv_heads=8, head_dim=8)  # the article's eight heads
DEEP = matched(  # as in 2017
    SIZES.with_(layers=12, hidden=32, heads=2, kv_heads=2),
    norm="layernorm",
    activation="relu",
    position_encoding="sinusoidal",
)
POSITIONS = {name: SIZES.with_(position_encoding=name) for name in ("none", "sinusoidal", "rope", "alibi")}
LEARNED = SIZES.with_(position_encoding="learned", max_positions=1)  # `Experiment.setting` gives it the trained length


def stacks(window: int) -> dict[str, str]:
    """Patterns by the name of the arm."""
    local, alternating = f"window:{window}", f"alternating:{window}:2"
    return {"full": "full", "local": local, "alternating": alternating, "strided": f"strided:{window}:{window}"}


# Arms of what holds, or does not, without training.
PACKED = (*POSITIONS, "learned")
SHIFT = ("rope", "rope-bfloat16")  # the format the angles are computed in

EXPERIMENTS: Mapping[str, Experiment] = {
    "activation": Experiment(
        about="feed-forward layers with equal parameters, and SwiGLU with 50% more",
        arms={name: matched(SIZES, activation=name) for name in CHOICES["activation"]}
        | {"swiglu-unmatched": SIZES.with_(ffn_hidden=4 * SIZES.hidden)},
        quick=Budget(steps=100, seeds=3, batch=16, layers=2, tuning=50),
        full=Budget(steps=300, seeds=4, layers=2, tuning=100),
    ),
    "norm": Experiment(
        about="RMSNorm vs. LayerNorm",
        arms={name: SIZES.with_(norm=name) for name in ("layernorm", "rmsnorm")},
        quick=Budget(steps=120, seeds=4, batch=16, layers=2, tuning=60),
        full=Budget(steps=300, seeds=8, layers=2, tuning=100),
    ),
    "stability": Experiment(
        about="how many runs of a deep stack diverge, with and without warm-up; no clipping, no tuning",
        arms={name: DEEP.with_(norm_position=name) for name in ("post", "pre")},
        rates=(1e-3, 3e-3, 1e-2, 3e-2),
        grid=(0.0, 0.1),
        quick=Budget(steps=80, seeds=1, batch=16),
        full=Budget(steps=160, seeds=2, batch=16),
    ),
    "convergence": Experiment(
        about="steps and seconds to a loss, each arm at its best rate",
        arms={
            "post-layernorm": SIZES.with_(norm_position="post", norm="layernorm"),
            "pre-layernorm": SIZES.with_(norm="layernorm"),
            "pre-rmsnorm": SIZES,
        },
        quick=Budget(steps=120, seeds=3, batch=16, layers=2, tuning=60, looks=24, reached=2.3),
        full=Budget(steps=250, seeds=6, tuning=100, looks=25, reached=1.8),
    ),
    "convergence-equal": Experiment(
        about="steps and seconds to a loss, all arms at one rate",
        arms={
            "post-layernorm": SIZES.with_(norm_position="post", norm="layernorm"),
            "pre-layernorm": SIZES.with_(norm="layernorm"),
        },
        rates=(1e-3,),
        quick=Budget(steps=120, seeds=3, batch=16, layers=2, looks=24, reached=2.6),
        full=Budget(steps=250, seeds=6, looks=25, reached=2.3),
    ),
    "position": Experiment(
        about="loss beyond the trained length, position by position",
        arms={**POSITIONS, "rope-interpolated": POSITIONS["rope"], "learned": LEARNED},
        interpolated=frozenset({"rope-interpolated"}),
        reach=(1.25, 1.5, 2.0, 4.0),
        quick=Budget(steps=280, seeds=2, batch=16, layers=2, tuning=40),
        full=Budget(steps=500, seeds=4, batch=16, layers=2, tuning=150),
    ),
    "beyond-table": Experiment(
        about="trained at 512 bytes, tested at 800",
        arms={"learned": LEARNED, "sinusoidal": POSITIONS["sinusoidal"], "rope": POSITIONS["rope"]},
        reach=(800 / 512,),
        quick=Budget(steps=120, seeds=2, batch=2, length=512, layers=2, tuning=30),
        full=Budget(steps=300, seeds=3, batch=4, length=512, layers=2, tuning=75),
    ),
    "kv-sharing": Experiment(
        about="8 heads sharing 8, 2 or 1 KV heads; with and without reinvesting the saved parameters",
        arms={
            "mha": SHARED,
            "gqa": SHARED.with_(kv_heads=2),
            "mqa": SHARED.with_(kv_heads=1),
            "gqa-refilled": reinvested(SHARED.with_(kv_heads=2)),
            "mqa-refilled": reinvested(SHARED.with_(kv_heads=1)),
        },
        quick=Budget(steps=100, seeds=3, batch=16, layers=2, tuning=50),
        full=Budget(steps=300, seeds=5, layers=2, tuning=100),
    ),
    "pattern": Experiment(
        about="language modelling with full and sparse attention",
        arms={name: SIZES.with_(pattern=pattern) for name, pattern in stacks(16).items()},
        quick=Budget(steps=50, seeds=2, batch=8, length=256, layers=2, tuning=30),
        full=Budget(steps=200, seeds=4, batch=8, length=256, layers=2, tuning=100),
    ),
    "recall": Experiment(
        about="recall of one symbol over 44 bytes, beyond the reach of two windows of 8",
        arms={name: SIZES.with_(layers=2, pattern=pattern) for name, pattern in stacks(8).items()},
        data="recall:44",
        quick=Budget(steps=200, seeds=2, length=48, tuning=100),
        full=Budget(steps=300, seeds=4, length=48),
    ),
    "ladder": Experiment(
        about="from the block of 2017 to that of 2024, one improvement at a time, with equal parameters",
        arms=ladder.models(SHARED),
        quick=Budget(steps=80, seeds=2, batch=16, layers=2, tuning=40),
        full=Budget(steps=160, seeds=4, layers=2, tuning=60),
    ),
}
