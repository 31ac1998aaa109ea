"""Which models are compared, on what, at which learning rates: the experiments as data. No torch.

Arms are compared seed by seed: all arms of a seed see the same bytes in the same order and start from the same numbers.
Each arm is run with several learning rates (`rates`), and each of its seeds is judged at the one that suits the others;
in `stability` nothing is chosen: every cell of its grid counts.

Budgets: `quick` and `full` are for two cores, `large` is the same for a GPU, with sizes at which the article's lengths
are what was trained: 2048 tokens, read at 4096.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tbench.model import ladder
from tbench.model.config import ModelConfig, matched
from tbench.training.settings import Loop, Setting

RATES = (3e-3, 1e-2, 3e-2)
SEEDS_APART = 1000  # between runs with different `--seed`


SIZES = matched(  # 131,000 parameters
    ModelConfig(layers=2, hidden=64, heads=4, kv_heads=4, head_dim=16, ffn_hidden=256, vocab=256)
)
SHARED = SIZES.with_(heads=8, kv_heads=8, head_dim=8)  # the article's eight heads
DEEP = SIZES.with_(layers=6, hidden=32, heads=2, kv_heads=2)
LARGE = matched(  # 25 million
    ModelConfig(layers=8, hidden=512, heads=8, kv_heads=8, head_dim=64, ffn_hidden=2048, vocab=256)
)
LARGE_DEEP = LARGE.with_(layers=24, hidden=256, heads=4, kv_heads=4)


@dataclass(frozen=True)
class Budget:
    """How much an experiment may take. `data`: other than the experiment's, where that is too little."""

    steps: int
    seeds: int
    sizes: ModelConfig = SIZES
    batch: int = 16
    length: int = 64
    looks: int = 10
    data: str = ""


@dataclass(frozen=True)
class Experiment:
    """`models`: the arms, from sizes. `grid`: shares of warm-up; every one with every rate counts. `reach`: lengths
    beyond the trained one. `interpolated`: arms that are also read with positions pressed together. `paced`: arms whose
    steps are timed, against the first of them."""

    about: str
    models: Callable[[ModelConfig], Mapping[str, ModelConfig]]
    budgets: Mapping[str, Budget]
    data: str = "topics"
    rates: tuple[float, ...] = RATES
    grid: tuple[float, ...] = ()
    reach: tuple[float, ...] = ()
    interpolated: frozenset[str] = field(default_factory=frozenset)
    paced: tuple[str, ...] = ()

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(self.models(next(iter(self.budgets.values())).sizes))

    def budget(self, name: str) -> Budget:
        """Raises KeyError."""
        return self.budgets[name]

    def seeds(self, budget: Budget, seed: int) -> list[int]:
        """Those of a run with `--seed`, none of them another's."""
        return [seed * SEEDS_APART + number for number in range(1, budget.seeds + 1)]

    def setting(self, arm: str, budget: Budget, rate: float, seed: int, warmup: float = 0.1) -> Setting:
        """One run of an arm."""
        config = self.models(budget.sizes)[arm]
        if config.position_encoding == "learned":
            config = config.with_(max_positions=budget.length)
        loop = Loop(budget.steps, rate, budget.batch, budget.length, warmup, looks=budget.looks)
        return Setting(config, loop, budget.data or self.data, seed, self.reach, arm in self.interpolated)

    def cells(self, arm: str, budget: Budget, seeds: list[int]) -> Iterator[Setting]:
        """Every run of a grid."""
        for seed in seeds:
            for warmup in self.grid:
                for rate in self.rates:
                    yield self.setting(arm, budget, rate, seed, warmup)


def stacks(window: int, sizes: ModelConfig) -> dict[str, ModelConfig]:
    """Patterns by the name of the arm."""
    patterns = {"full": "full", "local": f"window:{window}", "alternating": f"alternating:{window}:2"}
    return {name: sizes.with_(pattern=pattern) for name, pattern in patterns.items()}


def blocks(sizes: ModelConfig) -> dict[str, ModelConfig]:
    """The ladder from 2017 to 2024 and what may stand in the place of one step, all with as many parameters. `+rope` is
    2024 here: flash is another way to compute the same."""
    designs = {name: switches for name, switches in ladder.DESIGNS.items() if name != "+rope"}
    last = ladder.DESIGNS["2024"]
    designs |= {name: last | {"activation": name} for name in ("gelu", "geglu")}
    designs["mqa"] = last | {"kv_sharing": "mqa"}
    return {name: ladder.model(sizes, switches).with_(attention="flash") for name, switches in designs.items()}


def norm_positions(sizes: ModelConfig) -> dict[str, ModelConfig]:
    """The block of 2017 with its norm after the residual sum, and before what is summed."""
    block = matched(sizes, norm="layernorm", activation="relu", position_encoding="sinusoidal")
    return {name: block.with_(norm_position=name) for name in ("post", "pre")}


def encodings(sizes: ModelConfig) -> dict[str, ModelConfig]:
    """`rope-100`: with a base at which about as few of its frequencies never complete a turn within 64 positions as of
    Llama's do within 2048."""
    arms = {name: sizes.with_(position_encoding=name) for name in ("none", "sinusoidal", "rope", "alibi")}
    return {**arms, "rope-100": arms["rope"].with_(rope_base=100)}


def tables(sizes: ModelConfig) -> dict[str, ModelConfig]:
    """`learned` is given the trained length by `Experiment.setting`."""
    arms = {name: sizes.with_(position_encoding=name) for name in ("none", "sinusoidal", "rope")}
    return {"learned": sizes.with_(position_encoding="learned", max_positions=1), **arms}


# Arms of what holds, or does not, without training.
PACKED = ("none", "sinusoidal", "rope", "alibi", "learned")
SHIFT = ("rope", "rope-float32", "rope-bfloat16")  # the format the angles are computed in

EXPERIMENTS: Mapping[str, Experiment] = {
    "ladder": Experiment(
        about="the block of 2017, that of 2024, and every step between them, with equal parameters",
        models=blocks,
        budgets={
            "quick": Budget(steps=150, seeds=3, sizes=SHARED, looks=15),
            "full": Budget(steps=250, seeds=6, sizes=SHARED, looks=15),
            "large": Budget(steps=4000, seeds=3, sizes=LARGE, batch=32, length=512, looks=20, data="library"),
        },
        paced=("2017", "+rmsnorm"),
    ),
    "stability": Experiment(
        about="how wide a range of learning rates trains a deep stack, with and without warm-up; nothing is chosen",
        models=norm_positions,
        rates=(1e-3, 3e-3, 1e-2, 3e-2, 1e-1),  # from where post-norm trains to far beyond
        grid=(0.0, 0.1),
        budgets={
            "quick": Budget(steps=120, seeds=2, sizes=DEEP),
            "full": Budget(steps=200, seeds=4, sizes=DEEP),
            "large": Budget(steps=1000, seeds=3, sizes=LARGE_DEEP, batch=32, length=512, data="library"),
        },
    ),
    "position": Experiment(
        about="loss beyond the trained length",
        models=encodings,
        interpolated=frozenset({"rope"}),
        reach=(1.25, 1.5, 2.0, 4.0),
        budgets={
            "quick": Budget(steps=400, seeds=2, looks=1),
            "full": Budget(steps=500, seeds=4, looks=5),
            "large": Budget(steps=6000, seeds=3, sizes=LARGE, batch=16, length=2048, looks=5, data="library"),
        },
    ),
    "beyond-table": Experiment(
        about="trained at 512 bytes, tested at 800",
        models=tables,
        reach=(800 / 512,),
        budgets={
            "quick": Budget(steps=200, seeds=2, batch=2, length=512, looks=1),
            "full": Budget(steps=300, seeds=3, batch=2, length=512, looks=5),
            "large": Budget(steps=4000, seeds=3, sizes=LARGE, batch=32, length=512, looks=5, data="library"),
        },
    ),
    "pattern": Experiment(
        about="language modelling with full and sparse attention",
        models=lambda sizes: stacks(16, sizes),
        budgets={
            "quick": Budget(steps=300, seeds=2, batch=8, length=128, looks=1),
            "full": Budget(steps=1500, seeds=3, batch=8, length=256),
            "large": Budget(steps=4000, seeds=3, sizes=LARGE, batch=16, length=1024, data="library"),
        },
    ),
    "recall": Experiment(
        about="recall of one symbol over 44 bytes, beyond the reach of two windows of 8",
        models=lambda sizes: stacks(8, sizes.with_(layers=2)),
        data="recall:44",
        budgets={
            "quick": Budget(steps=200, seeds=2, batch=32, length=48),
            "full": Budget(steps=300, seeds=3, batch=32, length=48),
            "large": Budget(steps=2000, seeds=3, sizes=LARGE, batch=64, length=48),
        },
    ),
}
