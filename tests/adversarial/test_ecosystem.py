"""What people use must be ok: transformers' attention, norm, feed-forward layer and rotary embedding."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tbench.execution.local import LocalExecutor
from tests.adversarial.test_kernels import ANY, BF16, F32, FORWARD, PROMPT, Row, case_of, measured, require, workers

pytest.importorskip("transformers", reason="transformers is not installed")

LLAMA = "transformers.models.llama.modeling_llama"
ROPE = {"encoding": "rope", "kv_heads": 1, "heads": 1, "batch": 1}

TABLE = [
    Row("eager_attention", "ok", phases=ANY),
    Row("sdpa_attention", "ok", phases=ANY),
    *(Row(f"{kind}_attention", "ok", phases=ANY, axes={"causal": False, "head_dim": 64}) for kind in ("eager", "sdpa")),
    Row("rms_norm", "ok", component="norm", phases=PROMPT),
    Row("rms_norm", "ok", component="norm", phases=PROMPT, axes={"hidden": 1024}),
    Row("mlp", "ok", component="feedforward", phases=PROMPT),
    Row("mlp", "ok", component="feedforward", phases=PROMPT, axes={"hidden": 256}),
    Row("rotary", "ok", component="position", phases=PROMPT, axes={"encoding": "rope"}),
    *(
        Row("rotary", "ok", component="position", phases=(FORWARD,), axes=ROPE | {"seq_len": 2**power, "head_dim": 64})
        for power in (12, 15, 17)
    ),
    # its tables are those of plain positions, whatever is asked for
    Row("rotary", component="position", axes={"encoding": "rope-interpolated"}, dtypes=(F32, BF16)),
]


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    with workers(LLAMA) as local:
        yield local


@pytest.mark.parametrize(("row", "phase", "dtype"), [one for row in TABLE for one in row.each()])
def test_what_people_use(executor: LocalExecutor, row: Row, phase: str, dtype: str) -> None:
    require(row, measured(executor, case_of(row, "ecosystem.py", phase, dtype)))
