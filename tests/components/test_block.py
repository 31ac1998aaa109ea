"""The block in all its designs against the reference, and the ladder between them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import torch
from torch.func import functional_call

from tbench.components.block import BLOCK
from tbench.components.block.problem import SIZES, SWITCHES, BlockProblem
from tbench.components.block.workload import BlockWorkload
from tbench.components.registry import Impossible
from tbench.measure import memory
from tbench.measure.device import open_device
from tbench.model.config import CHOICES
from tbench.model.ladder import DESIGNS, STEPS
from tbench.model.presets import PRESETS
from tbench.records import Case, Value
from tbench.scenario.axes import resolve

Built = Callable[[Case], BlockWorkload]
SMALL: dict[str, Value] = {"batch": 2, "seq_len": 100, "hidden": 32, "heads": 4}


def case(phase: str = "forward", dtype: str = "float32", **given: Value) -> Case:
    return Case("block", phase, "cpu", dtype, tuple(resolve(BLOCK, {**SMALL, **given}).items()))


@pytest.fixture
def built() -> Iterator[Built]:
    """Sets a case up, and closes it after the test, the last first: each restores what it found."""
    with ExitStack() as stack:

        def build(one: Case) -> BlockWorkload:
            workload: BlockWorkload = BLOCK.workload(one, 1)
            stack.callback(workload.close)
            return workload

        yield build


HALVES = itertools.product(("2017", "2024"), ("bfloat16", "float16"))


@pytest.mark.parametrize("phase", BLOCK.phases)
@pytest.mark.parametrize(("design", "dtype"), [*((design, "float32") for design in DESIGNS), *HALVES])
def test_every_design_agrees_with_the_reference(built: Built, design: str, phase: str, dtype: str) -> None:
    workload = built(case(phase, dtype, design=design))
    for seed in (2, 3):
        check = workload.check(seed)
        assert check.passed, check


@pytest.mark.parametrize("phase", BLOCK.phases)
def test_every_combination_of_switches_agrees(built: Built, phase: str) -> None:
    choices = itertools.product(("post", "pre"), CHOICES["norm"], CHOICES["activation"], ("sinusoidal", "rope"))
    for number, (norm_position, norm, activation, position_encoding) in enumerate(choices):
        bias = CHOICES["bias"][number % 3]
        pairs = (("naive", 4), ("flash", 1)) if number // 4 % 2 else (("naive", 1), ("flash", 4))
        for kernel, kv_heads in pairs:
            switches = {"norm_position": norm_position, "norm": norm, "activation": activation, "bias": bias}
            one = case(phase, **switches, position_encoding=position_encoding, kernel=kernel, kv_heads=kv_heads)
            check = built(one).check(5)
            assert check.passed, (one.id, check)


@pytest.mark.parametrize("phase", BLOCK.phases)
@pytest.mark.parametrize(
    "name",
    ["wq", "wv", "wo", "w_up", "w_down", "w_gate", "norm1", "norm2", "bq", "bv", "bo", "b_up", "b_down", "b_gate"],
)
def test_a_block_that_computes_with_other_weights_is_noticed(built: Built, name: str, phase: str) -> None:
    workload = built(case(phase, bias="all"))
    (one,) = workload.sets
    original = one.block
    other = {**one.weights, name: one.weights[name] * 1.5}
    one.block = lambda *inputs: functional_call(original, other, inputs)
    assert not workload.check(2).passed


def test_a_block_that_sees_the_future_is_noticed(built: Built) -> None:
    workload = built(case(kernel="naive"))
    workload.sets[0].attend = lambda q, k, v: torch.softmax(q @ k.mT * 8**-0.5, -1) @ v
    assert workload.problem.config.kv_heads == 1
    assert not workload.check(2).passed


def test_rope_turns_by_the_base_that_is_asked_for(built: Built) -> None:
    near, far = (built(case(rope_base=base)) for base in (10_000, 500_000))
    assert not torch.equal(near.calls[0]()[0], far.calls[0]()[0])
    assert far.check(3).passed


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_the_block_it_names(name: str) -> None:
    one = Case("block", "forward", "cpu", "float32", tuple(resolve(BLOCK, {"seq_len": 8, "model": name}).items()))
    built, published = BlockProblem(one).config, PRESETS[name].config
    for what in (*SIZES, *SWITCHES):
        assert getattr(built, what) == getattr(published, what), what
    assert one["design"] == {"gpt3-175b": "custom", "llama-2-7b": "-gqa"}.get(name, "2024")


def test_the_ladder_changes_one_thing_a_step() -> None:
    steps = [DESIGNS[name] for name in ("2017", "+pre-norm", "+rmsnorm", "+swiglu", "+gqa", "+rope", "2024")]
    for before, after, change in zip(steps[:-1], steps[1:], STEPS.values(), strict=True):
        assert {name for name in after if after[name] != before[name]} == set(change)
    without = [name for name in DESIGNS if name.startswith("-")]
    for name in without:
        changed = {switch for switch in DESIGNS[name] if DESIGNS[name][switch] != DESIGNS["2024"][switch]}
        assert changed == set(STEPS[name.removeprefix("-")])


def test_a_design_sets_the_switches_and_tells_the_truth_about_them() -> None:
    old, new = dict(case(design="2017").axes), dict(case(design="2024").axes)
    assert (old["norm_position"], old["norm"], old["activation"], old["kv_heads"], old["kernel"]) == (
        "post",
        "layernorm",
        "relu",
        4,
        "naive",
    )
    assert (new["norm_position"], new["norm"], new["activation"], new["kv_heads"], new["kernel"]) == (
        "pre",
        "rmsnorm",
        "swiglu",
        1,
        "flash",
    )
    assert dict(case(design="2024", norm="layernorm").axes)["design"] == "-rmsnorm"
    assert dict(case(design="2024", norm="layernorm", position_encoding="sinusoidal").axes)["design"] == "custom"
    assert dict(case(design="2017", norm_position="pre").axes)["design"] == "+pre-norm"


def test_designs_have_the_same_parameters_but_for_shared_heads() -> None:
    sizes = {name: BlockProblem(case(design=name, hidden=512, heads=8)).config.block_parameters for name in DESIGNS}
    whole = [size for name, size in sizes.items() if DESIGNS[name]["kv_sharing"] == "mha"]
    assert max(whole) / min(whole) < 1.01
    shared = [size for name, size in sizes.items() if DESIGNS[name]["kv_sharing"] == "gqa"]
    assert max(shared) / min(shared) < 1.01
    assert min(whole) > max(shared)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(Impossible, match="3 KV heads cannot be shared evenly by 4 heads"):
        case(kv_heads=3)
    with pytest.raises(Impossible, match="7 heads do not divide a width of 32"):
        case(heads=7)
    with pytest.raises(Impossible, match="head_dim is 5; write an even one"):
        case(head_dim=5)
    with pytest.raises(Impossible, match="1 is too small to match parameters within 1%; write ffn_hidden too"):
        case(hidden=1, heads=1, head_dim=2)


def test_gated_layers_have_widths_that_processors_like() -> None:
    """As in the feed-forward component: 2/3 of 16384 is odd, and matrix units are for multiples of 8."""
    assert case(design="2024", hidden=4096, heads=32)["ffn_hidden"] == 11008  # Llama's own
    assert case(design="2017", hidden=4096, heads=32)["ffn_hidden"] == 16384


@pytest.mark.parametrize("phase", BLOCK.phases)
@pytest.mark.parametrize("design", ["2017", "2024"])
def test_predicted_bytes_tell_what_fits(built: Built, design: str, phase: str) -> None:
    one = case(phase, design=design, batch=1, seq_len=512, hidden=256)
    workload = built(one)
    workload.call()
    weighed = memory.peak(open_device("cpu"), workload).peak_bytes
    assert weighed is not None
    assert weighed * 0.9 < BLOCK.predict_bytes(one) < weighed * 1.6


def test_work_grows_as_it_should() -> None:
    assert BLOCK.work is not None
    forward, training = (BLOCK.work_of(case(phase, design="2017")) for phase in ("forward", "forward_backward"))
    assert training.flops == 3 * forward.flops
    token = BLOCK.work_of(case("decode", design="2017"))
    assert token.kv_cache_bytes == 2 * 2 * 4 * 100 * 8 * 4
    assert token.bytes > token.kv_cache_bytes
