"""What becomes of kernels that are wrong, that cheat, or that only look as if they did: each is measured as in a run.

A row of the table says what one kernel of `kernels.py` must become, and a part of the reason or of the notes. A fresh
worker sets it up, checks it, times two short turns and checks it again.

    pytest tests/adversarial -k 'remembers and decode'
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tbench.execution.executor import At
from tbench.execution.local import LocalExecutor
from tbench.execution.plan import Draft
from tbench.execution.rounds import play_round
from tbench.records import Case, Measurement, Sampling, Work
from tests.components.small import case

HERE = Path(__file__).parent
SHORT = Sampling(
    target=1.0,
    min_time=0.0,
    max_time=0.1,
    min_rounds=1,
    max_rounds=1,
    warmup=0.0,
    turns=2,
    turn_time=0.005,
    cache="hot",
)
FORWARD, BOTH, DECODE = "forward", "forward_backward", "decode"
F32, BF16, F16 = "float32", "bfloat16", "float16"

# Imported before workers are forked, which would each do it: the last is what the first gradient of a process imports.
MODULES = [f"tbench.components.{name}.workload" for name in ("attention", "norm", "feedforward", "position")]
MODULES += ["torch.fx.experimental.symbolic_shapes"]

SIZES: dict[str, dict[str, Any]] = {
    "attention": {"batch": 2, "seq_len": 100, "heads": 4, "kv_heads": 2, "head_dim": 32, "causal": True},
    "norm": {"batch": 2, "seq_len": 24, "hidden": 64},
    "feedforward": {"batch": 2, "seq_len": 24, "hidden": 48},
    "position": {"batch": 2, "seq_len": 96, "heads": 4, "kv_heads": 2, "head_dim": 16},
}


@dataclass(frozen=True)
class Row:
    """`status`: what the kernel must become; several only where each is right.

    `said`: a pattern in the reason, or in the notes of a kernel that is ok. `at_least`: seconds that a call takes at
    least, as the samples of a kernel that is ok must say. `beyond`: why this is more than tbench promises. `full`: all
    phases in all dtypes, and not only the first of either with all of the other; unless given, for what is right.
    """

    kernel: str
    status: str = "wrong"
    said: str = ""
    component: str = "attention"
    phases: tuple[str, ...] = (FORWARD,)
    dtypes: tuple[str, ...] = (F32, BF16)
    axes: dict[str, Any] = field(default_factory=dict)
    full: bool | None = None
    at_least: float = 0.0
    beyond: str = ""
    device: str = "cpu"

    def each(self) -> Iterator[Any]:
        full = self.status == "ok" if self.full is None else self.full
        for phase in self.phases:
            for dtype in self.dtypes if full or phase == self.phases[0] else self.dtypes[:1]:
                words = [self.component, self.kernel, phase, dtype, *(f"{k}={v}" for k, v in self.axes.items())]
                marks = [pytest.mark.xfail(reason=self.beyond, strict=False)] if self.beyond else []
                yield pytest.param(self, phase, dtype, id="-".join(map(str, words)), marks=marks)


def rows(*kernels: str, **what: Any) -> list[Row]:
    """The same of several kernels."""
    return [Row(kernel, **what) for kernel in kernels]


def layer(*kernels: str, **what: Any) -> list[Row]:
    axes = {"norm": "layernorm"} | what.pop("axes", {})
    return rows(*kernels, component="norm", axes=axes, **what)


def of(component: str, axes: dict[str, Any], *kernels: str, **what: Any) -> list[Row]:
    return rows(*kernels, component=component, axes=axes, **what)


ANY = (FORWARD, BOTH, DECODE)
PROMPT = (FORWARD, BOTH)
READ = (FORWARD, DECODE)
DIFFERS = "differs from the float64 reference"
NOT_CAUSAL = {"causal": False}

ATTENTION = [
    # right
    *rows("honest", "through_float64", "own_backward", status="ok", phases=ANY),
    *rows("other_strides", "part_of_a_larger_buffer", "keeps_its_mask", status="ok", phases=ANY, full=False),
    *rows("own_buffer", "splits_into_threads", status="ok", phases=READ),
    *rows("seeds_the_generator", "sets_the_environment", "talks", status="ok", phases=ANY, dtypes=(F32,)),
    Row("sets_state", "ok", "(?=.*dtype)(?=.*grad)", phases=ANY, dtypes=(F32,)),
    Row("sets_more_state", "ok", "(?=.*precision)(?=.*deterministic)(?=.*device)", phases=(BOTH,), dtypes=(F32,)),
    # remembered
    *rows("remembers_by_pointer", "remembers_by_version", "remembers_by_identity", "remembers_by_sum", phases=READ),
    *rows("remembers_by_a_few", "returns_the_last", "computes_once", "learns_the_sets", phases=READ),
    *rows(
        "remembers_by_pointer",
        "remembers_by_version",
        "returns_the_last",
        "computes_once",
        status="wrong error",
        phases=(BOTH,),
        dtypes=(F32,),
    ),
    Row(
        "remembers_by_content",
        phases=READ,
        dtypes=(F32,),
        beyond="what is handed out is right, whenever it was computed",
    ),
    # writing
    *rows("zeroes_v", "scales_q_unseen", said="overwrites its input", phases=ANY),
    Row("scales_q_in_place", "wrong", "overwrites its input q", phases=READ),
    Row("scales_q_in_place", "wrong error", phases=(BOTH,)),
    # later
    # Its thread is waited for, and counted; where the result is looked at before that, it is not there.
    Row("finishes_in_a_thread", "wrong ok", dtypes=(F32,), axes={"seq_len": 256}, at_least=1e-4),
    *rows("finishes_later", "batches_its_calls", phases=READ, dtypes=(F32,)),
    Row("on_a_side_stream", "wrong ok", dtypes=(BF16,), at_least=3e-4, device="cuda:0"),
    *rows("lazy", "subclass", said="Lazy|Marked|subclass|plain", phases=READ, dtypes=(F32,)),
    *rows("leaves_a_mode", "reads_when_cloned", status="wrong error", phases=READ, dtypes=(F32,)),
    # watching
    *rows("honest_when_watched", "honest_unless_timed", "honest_now_and_then", phases=ANY, dtypes=(F32,)),
    *rows("honest_when_watched", "honest_unless_timed", "honest_at_first", phases=READ, dtypes=(BF16,)),
    Row("honest_at_first", phases=READ, dtypes=(F32,)),
    # clock and ruler
    Row("hides_its_time", "wrong error ok", phases=READ, dtypes=(F32,), at_least=1.5e-3),
    Row("shortens_cuda_events", "wrong error ok", dtypes=(BF16,), at_least=3e-4, device="cuda:0"),
    *rows(
        "patches_equality", "patches_the_norm", "patches_subtraction", status="wrong error", phases=ANY, dtypes=(F32,)
    ),
    Row(
        "patches_the_judge", "wrong error", dtypes=(F32,), beyond="nothing in a process is out of reach of its own code"
    ),
    # numbers
    *rows("returns_zeros", "returns_nan", "uninitialised", phases=READ),
    Row("sparse", "wrong error", phases=READ),
    *rows("unsafe_softmax", "gives_up_on_large_scores", "clamps_scores", phases=READ),
    *rows("unsafe_softmax", "clamps_scores", phases=(BOTH,), dtypes=(F32,)),
    Row("always_causal", said=DIFFERS, phases=(DECODE,)),
    Row("always_causal", said=DIFFERS, axes=NOT_CAUSAL),
    Row("always_causal", "ok"),
    *rows("never_causal", "off_by_one", "strictly_causal", "first_row_unmasked", "masks_by_blocks", phases=PROMPT),
    *rows("counts_padding", "last_keys_only", axes=NOT_CAUSAL, phases=READ),
    *rows("eight_keys_only", "scales_by_head_dim", "scales_by_width", "softmax_over_queries", phases=ANY),
    *rows("repeats_wrongly", "skips_last_rows", "skips_a_head", "first_batch_only", phases=ANY),
    Row("skips_rows_inside", phases=PROMPT),
    *rows("bfloat16_inside", "float16_inside", "ten_bits", "int8_cache", phases=READ, dtypes=(F32,)),
    *rows("fp8_cache", "int4_cache", phases=READ, full=True),
    # gradients
    *rows("zero_dk", "detached_v", "scaled_dq", "gradient_without_mask", "gradient_of_the_sum", phases=(BOTH,)),
    *rows("gradient_of_one_head", "gradient_remembered", "fresh_rows_only", phases=(BOTH,)),
    # other ways
    Row("shouts", "error", "RuntimeError: 50%", phases=ANY, dtypes=(F32,)),
    Row("cannot_be_told", "error", "Unspeakable|no words", dtypes=(F32,)),
    Row("exits", "error", "SystemExit", dtypes=(F32,)),
    Row("exits_at_once", "error", "exit code 0", dtypes=(F32,)),
    Row("raises_in_the_end", "error", "the twenty-first call", phases=READ, dtypes=(F32,)),
]

NORM = [
    *of("norm", {}, "rms_honest", "rms_written_out", status="ok", phases=PROMPT, dtypes=(F32, BF16, F16)),
    *layer("layer_honest", "layer_written_out", status="ok", phases=PROMPT),
    *layer("no_mean", "no_bias", "other_layer_eps", phases=PROMPT),
    *layer("unbiased", phases=PROMPT, axes={"hidden": 8}),
    *of("norm", {}, "no_weight", "one_plus_weight", "other_eps", "eps_outside", phases=PROMPT),
    *of("norm", {}, "norm_of_columns", "norm_first_batch", phases=PROMPT),
    *of("norm", {}, "squares_in_half", dtypes=(F32, F16)),
    *of("norm", {}, "norm_bfloat16", phases=PROMPT, dtypes=(F32,)),
    *of("norm", {}, "norm_in_place", said="overwrites its input x"),
    *of("norm", {}, "norm_in_place", status="wrong error", phases=(BOTH,)),
    *of("norm", {}, "writes_the_weight", said="overwrites its input weight"),
    *of("norm", {}, "writes_the_weight", status="wrong error", phases=(BOTH,)),
    *of("norm", {}, "norm_remembers", dtypes=(F32,)),
    *of("norm", {}, "norm_honest_when_watched", phases=PROMPT, dtypes=(F32,)),
    *of("norm", {}, "overwrites_the_answer", "zeroes_all_it_finds", status="wrong error", dtypes=(F32,)),
    *of("norm", {}, "answers_from_the_stack", "overrides_its_methods", status="wrong error"),
    *of("norm", {}, "norm_zero_dweight", "norm_constant_size", phases=(BOTH,)),
]

FEEDFORWARD = [
    *of("feedforward", {}, "swiglu_honest", status="ok", phases=PROMPT),
    *of("feedforward", {"activation": "gelu"}, "gelu_honest", status="ok", phases=PROMPT),
    *of("feedforward", {}, "swaps_gate_and_up", "silu_of_the_product", "forgets_up", "geglu_for_swiglu", phases=PROMPT),
    *of("feedforward", {}, "half_of_the_units", phases=PROMPT),
    *of("feedforward", {}, "fp8_weights"),
    *of("feedforward", {"activation": "gelu"}, "gelu_tanh", dtypes=(F32,), phases=PROMPT),
    *of("feedforward", {"activation": "gelu"}, "gelu_tanh", status="ok", dtypes=(BF16,), phases=PROMPT),
    *of("feedforward", {"activation": "gelu"}, "gelu_sigmoid", dtypes=(F32,), phases=PROMPT),
    *of("feedforward", {"activation": "gelu"}, "skips_last_tokens", phases=PROMPT),
    *of("feedforward", {}, "keeps_packed_weights", "swiglu_remembers", dtypes=(F32,)),
    *of("feedforward", {}, "swiglu_lazy", said="Lazy|subclass|plain", dtypes=(F32,)),
    *of("feedforward", {}, "detached_gate", phases=(BOTH,)),
]

ROPE, HALVED = {"encoding": "rope"}, {"encoding": "rope-interpolated"}
LONG = {"encoding": "rope", "seq_len": 4096, "batch": 1, "heads": 1, "kv_heads": 1}
POSITION = [
    *of("position", ROPE, "rope_honest", "rope_float32", "rope_in_place", status="ok", phases=PROMPT),
    *of("position", LONG, "rope_float32", status="ok"),
    *of("position", LONG, "rope_bfloat16", "rope_ten_bits"),
    *of("position", ROPE, "rope_interleaved", "rope_backwards", "rope_from_one", phases=PROMPT),
    *of("position", ROPE, "rope_bfloat16", phases=PROMPT, dtypes=(F32,)),
    *of("position", ROPE, "rope_other_base", "rope_without_k", phases=PROMPT),
    *of("position", ROPE, "rope_same_sign", phases=(BOTH,)),
    *of("position", ROPE, "rope_remembers", dtypes=(F32,)),
    *of("position", HALVED, "rope_honest", phases=PROMPT),
    *of("position", {"encoding": "none"}, "itself", "copied", status="ok", phases=PROMPT),
    *of("position", {"encoding": "alibi"}, "alibi_honest", status="ok", phases=PROMPT),
    *of("position", {"encoding": "alibi"}, "alibi_first_slope", "alibi_signed"),
    *of("position", {"encoding": "alibi"}, "alibi_in_place", said="overwrites its input scores"),
    *of("position", {"encoding": "alibi", "heads": 6}, "alibi_honest"),  # mlx#3071: right for powers of two only
    *of("position", {"encoding": "sinusoidal"}, "sinusoidal_honest", status="ok", phases=PROMPT),
    *of("position", {"encoding": "sinusoidal"}, "sinusoidal_halves"),
    *of("position", {"encoding": "learned"}, "learned_honest", status="ok", phases=PROMPT),
    *of("position", {"encoding": "learned"}, "learned_shifted", phases=PROMPT),
    *of("position", {"encoding": "learned"}, "learned_writes_the_table", said="overwrites its input table"),
]

TABLE = [*ATTENTION, *NORM, *FEEDFORWARD, *POSITION]


def case_of(row: Row, file: str, phase: str, dtype: str) -> Case:
    axes = SIZES[row.component] | row.axes | {"kernel": f"./{file}:{row.kernel}"}
    return replace(case(row.component, phase, dtype, **axes), device=row.device)


def measured(executor: LocalExecutor, of: Case, sampling: Sampling = SHORT) -> Measurement:
    """One round, as in a run."""
    draft = Draft(of, None, Work(1e6, 1e5), 1000)
    play_round([(draft, At(executor, HERE))], sampling, seed=5, number=0)
    assert draft.measurement is not None
    return draft.measurement


def require(row: Row, found: Measurement) -> None:
    told = found.reason if found.status != "ok" else " ".join(found.notes)
    assert found.status in row.status.split(), f"{found.status}: {told}"
    assert re.search(row.said, told), told
    assert "\n" not in told
    if found.status == "ok":
        assert found.error is not None
        assert found.turns
        assert all(second >= row.at_least for turn in found.turns for second in turn.seconds), found.turns


@contextmanager
def workers(*modules: str) -> Iterator[LocalExecutor]:
    """Workers with one thread. They keep the compiled file of kernels, whatever this process was told."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        with LocalExecutor(threads=1, modules=[*MODULES, *modules]) as local:
            yield local


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    with workers() as local:
        yield local


@pytest.mark.parametrize(("row", "phase", "dtype"), [one for row in TABLE for one in row.each()])
def test_what_becomes_of_it(executor: LocalExecutor, row: Row, phase: str, dtype: str) -> None:
    if row.device != "cpu":
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")
    require(row, measured(executor, case_of(row, "kernels.py", phase, dtype), replace(SHORT, timeout=10.0)))
