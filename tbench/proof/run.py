"""Carrying out the proof: every variant, phase and dtype at tiny sizes, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tbench.catalog import get
from tbench.components.registry import DTYPES
from tbench.errors import NothingSelected
from tbench.execution.executor import WorkerFailed
from tbench.execution.local import LocalExecutor
from tbench.execution.lock import device_lock
from tbench.execution.workplace import Machine
from tbench.proof.evidence import Evidence, Proof, versions, write
from tbench.records import Case, Environment, Value
from tbench.scenario import Scenario, expand

PROOF_SECONDS = 300.0  # of a case: packages compile when they are first called
# By component: what is fixed, and what is swept beside phase, dtype and variant. Whole pages of every paged kernel; no
# multiple of a block elsewhere; one sequence, for some kernels take no more.
SIZES: Mapping[str, tuple[Mapping[str, Value], Mapping[str, tuple[Value, ...]]]] = {
    "attention": (
        {"heads": 4, "kv_heads": 2, "head_dim": 64},
        {"seq_len": (256, 300), "pattern": ("full", "window:40")},
    ),
    "norm": ({"seq_len": 60, "hidden": 256}, {"norm": ("layernorm", "rmsnorm")}),
    "feedforward": ({"seq_len": 60, "hidden": 256}, {"activation": ("relu", "swiglu")}),
    "position": (
        {"seq_len": 60, "heads": 4, "head_dim": 64},
        {"encoding": ("sinusoidal", "learned", "rope", "alibi")},
    ),
    "block": ({"seq_len": 60, "hidden": 256, "heads": 4}, {}),
}


@dataclass(frozen=True)
class Asked:
    """What is to be proved, where, and the file that takes it as it comes; None: the default for the machine."""

    device: str
    select: Sequence[str]
    output: Callable[[Environment], Path]


def scenarios() -> list[Scenario]:
    """A sweep for each component."""
    made = []
    for name, (fixed, more) in SIZES.items():
        component = get(name)
        swept = {"phase": component.phases, "dtype": DTYPES, **more, component.variant_axis: tuple(component.variants)}
        made.append(Scenario(name=f"proof-{name}", title=name, component=name, fixed=fixed, sweep=swept))
    return made


def cases(device: str, select: Sequence[str]) -> list[Case]:
    """Every case that is asked for. Raises UsageError and NothingSelected, as `-k` does."""
    return expand(Scenario(name="proof", title="proof", parts=tuple(scenarios())), device, select)


def prove(asked: Asked, say: Callable[[str], None], told: Callable[[Proof], None]) -> tuple[Evidence, Path]:
    """Prove what is asked, writing as it goes: what is there when it is broken off is kept.

    Of the sizes and patterns of a variant, phase and dtype that cannot run, the first reason is told once.
    """
    with LocalExecutor() as executor:
        machine = Machine(executor)
        device = machine.resolve(asked.device)
        wanted = cases(device, asked.select)
        with device_lock(device, say, uuid=machine.uuid(device)):
            here: Environment = machine.ask("environment", device=device)
            path = asked.output(here)
            evidence = Evidence(here.device_name, datetime.now(UTC).date().isoformat(), versions(here))
            for case in possible(wanted):
                proof = tried(executor, case)
                evidence = replace(evidence, proofs=(*evidence.proofs, proof))
                told(proof)
                write(path, evidence)
    if not evidence.proofs:
        raise NothingSelected("nothing was proved: no case is left")
    return evidence, path


def possible(wanted: Sequence[Case]) -> list[Case]:
    """The cases that may run, and of what may run at no size one case, which tells the reason."""
    kept: list[Case] = []
    groups: dict[tuple[str, ...], list[Case]] = {}
    for case in wanted:
        variant = str(case[get(case.component).variant_axis])
        groups.setdefault((case.component, variant, case.phase, case.dtype), []).append(case)
    for group in groups.values():
        kept += [case for case in group if get(case.component).unsupported(case) is None] or group[:1]
    return kept


def tried(executor: LocalExecutor, case: Case) -> Proof:
    """One case in a process of its own."""
    reason = get(case.component).unsupported(case)
    if reason is not None:
        return Proof(case, "unsupported", reason)
    worker = executor.start()
    try:
        return Proof(case, "ok", **worker.ask("prove", PROOF_SECONDS, case=case, seed=0))
    except WorkerFailed as failure:
        return Proof(case, failure.status, failure.reason)
    finally:
        worker.close()
