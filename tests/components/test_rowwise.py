"""The workload that row-wise components share: it notices every kind of wrong result, and keeps its promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tbench.cli import exit_code
from tbench.components.problem import Problem
from tbench.components.rowwise import Operation, RowWise
from tbench.components.workload import Malformed
from tbench.records import Measurement
from tests.components.small import DTYPES, PHASES, case

ROWS, WIDTH = 300, 24


def scaled(x: Tensor, weight: Tensor) -> Tensor:
    """A small operation: each row times a vector."""
    return x * weight


OPERATION = Operation(
    inputs={"x": (3, 100, WIDTH)},
    parameters={"weight": ((WIDTH,), 0.5)},
    reference=lambda inputs, parameters, _: [inputs["x"] * parameters["weight"]],
)


def built(kernel: Callable[..., Any], phase: str = "forward", dtype: str = "float32", seed: int = 0) -> RowWise:
    problem = Problem(case("norm", phase, dtype, seq_len=4, hidden=4))
    return RowWise(problem, OPERATION, kernel, seed)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_right_passes(phase: str, dtype: str) -> None:
    assert built(scaled, phase, dtype).check(1).passed


class OnlyForward(torch.autograd.Function):
    """Right forward; the gradients are those of another operation."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x * weight

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        x, weight = ctx.saved_tensors
        return grads[0] * weight, (grads[0] * x).sum((0, 1)) * 1.01


class Leaking(OnlyForward):
    """Gradients in rows that have none."""

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        x, weight = ctx.saved_tensors
        return grads[0] * weight + 1e-9, (grads[0] * x).sum((0, 1))


def last_row_wrong(x: Tensor, weight: Tensor) -> Tensor:
    out = x * weight
    out.flatten(0, -2)[-1] *= 1.001
    return out


def remembered() -> Callable[..., Tensor]:
    kept: list[Tensor] = []

    def kernel(x: Tensor, weight: Tensor) -> Tensor:
        if not kept:
            kept.append(scaled(x, weight))
        return kept[0]

    return kernel


@pytest.mark.parametrize(
    ("kernel", "phase", "where"),
    [
        (lambda x, weight: x * weight * 1.001, "forward", "in x"),
        (last_row_wrong, "forward", "in x"),
        (lambda x, weight: x * weight * float("nan"), "forward", "in x"),
        (lambda x, weight: (x * weight).half().float(), "forward", "in x"),
        (OnlyForward.apply, "forward_backward", "in dweight"),
        (Leaking.apply, "forward_backward", "in dx: not 0"),
    ],
)
def test_wrong_is_noticed_and_named(kernel: Callable[..., Any], phase: str, where: str) -> None:
    check = built(kernel, phase).check(1)
    assert not check.passed
    assert check.detail.startswith(where)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        (lambda x, weight: (x * weight)[..., :-1], r"the result is \(3, 100, 23\) instead of \(3, 100, 24\)"),
        (lambda x, weight: (x * weight).double(), "the result is torch.float64 instead of torch.float32"),
        (lambda x, weight: None, "the result is None instead of a tensor"),
        (lambda x, weight: (x, weight), r"2 results instead of 1 \(x\)"),
    ],
)
def test_a_result_of_another_form_is_told(kernel: Callable[..., Any], said: str, phase: str) -> None:
    made = built(kernel, phase)
    with pytest.raises(Malformed, match=said):
        made.check(1)


def test_an_answer_from_memory_is_noticed() -> None:
    made = built(remembered())
    made.call()
    assert not made.check(1).passed


def test_a_kernel_that_writes_over_its_input_is_told_which() -> None:
    made = built(lambda x, weight: x.mul_(weight))
    with pytest.raises(Malformed, match="overwrites its input x"):
        made.check(1)


def test_where_the_component_leaves_them_the_inputs_a_kernel_may_write_over_them() -> None:
    problem = Problem(case("norm", "forward", "float32", seq_len=4, hidden=4))
    made = RowWise(problem, replace(OPERATION, overwrites=True), lambda x, weight: x.mul_(weight), 0, sets=2)
    assert made.check(1).passed
    assert made.overwrites
    before = made.sets[1].inputs["x"].clone()
    made.nudge(1)  # data are new for every call then, not changed in places
    assert not bool((made.sets[1].inputs["x"] == before).any())


def test_sets_share_parameters_unless_they_are_apart() -> None:
    problem = Problem(case("norm", "forward", "float32", seq_len=4, hidden=4))
    for apart in (False, True):
        one, other = RowWise(problem, OPERATION, scaled, 0, sets=2, apart=apart).sets
        assert (one.parameters["weight"] is other.parameters["weight"]) is not apart
        assert not torch.equal(one.inputs["x"], other.inputs["x"])


def test_after_a_check_no_row_of_the_gradient_is_zero() -> None:
    made = built(scaled, "forward_backward")
    assert made.check(1).passed
    assert bool((made.sets[0].grads[0] != 0).any(-1).all())


def test_data_follow_from_the_seed_and_are_never_zero() -> None:
    first, same, other = (built(scaled, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.inputs["x"], same.inputs["x"])
    assert not torch.equal(first.inputs["x"], other.inputs["x"])
    assert bool((first.inputs["x"] != 0).all())
    assert float(first.sets[0].parameters["weight"].std()) == pytest.approx(0.5, rel=0.5)


def test_rows_that_rounding_decides_are_not_sampled() -> None:
    made = built(scaled)
    every = made.draw(made.sets[0], "x", 1)
    made.operation = Operation(
        OPERATION.inputs, OPERATION.reference, OPERATION.parameters, smooth=lambda x, _: x[:, 0] > 0
    )
    chosen = made.draw(made.sets[0], "x", 1)
    assert 0 < len(chosen) < len(every)
    assert bool((made.inputs["x"].flatten(0, 1)[chosen, 0] > 0).all())


@pytest.mark.parametrize("phase", PHASES)
def test_resident_bytes_are_all_tensors(phase: str) -> None:
    made = built(scaled, phase)
    matrices = 2 if phase == "forward_backward" else 1
    assert made.resident_bytes == 4 * (matrices * ROWS * WIDTH + WIDTH)
    assert made.layers == 1


def test_close_leaves_the_contexts() -> None:
    left: list[bool] = []
    made = built(scaled)
    made.problem.contexts.callback(left.append, True)
    made.close()
    assert left == [True]


PART = """\
version: 1
name: {name}
component: {name}
phase: forward_backward
fixed: {{batch: 2, seq_len: 16, {sizes}}}
sweep: {{{axis}: [{first}, {second}]}}
baseline: {{{axis}: {first}}}
sampling: {{target: 0.5, min_time: 0.0, max_time: 0.1, min_rounds: 2, max_rounds: 2, warmup: 0.0, turn_time: 0.002}}
"""
PARTS = [
    {"name": "norm", "sizes": "hidden: 32", "axis": "norm", "first": "layernorm", "second": "rmsnorm"},
    {"name": "feedforward", "sizes": "hidden: 32", "axis": "activation", "first": "relu", "second": "swiglu"},
    {"name": "position", "sizes": "heads: 2, head_dim: 8", "axis": "encoding", "first": "none", "second": "rope"},
]


def test_a_run_of_all_three_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every row is right, timed and weighed; `none`, which moves no bytes, breaks no figure."""
    for part in PARTS:
        (tmp_path / f"{part['name']}.yaml").write_text(PART.format(**part))
    suite = tmp_path / "suite.yaml"
    suite.write_text("version: 1\nname: suite\nparts: [norm.yaml, feedforward.yaml, position.yaml]\n")
    out = tmp_path / "run"
    assert exit_code(["run", str(suite), "-o", str(out), "--device", "cpu", "--cases"]) == 0
    assert "swiglu" in capsys.readouterr().out
    measured = [Measurement.from_dict(json.loads(line)) for line in (out / "measurements.jsonl").open()]
    assert {m.case.component for m in measured} == {part["name"] for part in PARTS}
    assert len(measured) == 6
    for m in measured:
        assert m.status == "ok", m.reason
        assert m.turns
        assert m.memory is not None
        assert m.memory.peak_bytes is not None
        assert m.memory.predicted_bytes == pytest.approx(m.memory.peak_bytes, rel=0.25)  # tiny: statistics weigh in
