"""What is known before the first measurement: the device, the machine, and a plan for every part of a scenario."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from tbench.catalog import get as get_component
from tbench.execution import plan as planning
from tbench.execution.executor import At, Executor
from tbench.execution.local import LocalExecutor
from tbench.execution.lock import device_lock
from tbench.execution.plan import Plan
from tbench.execution.workplace import Machine
from tbench.records import Case, Environment, Measurement
from tbench.scenario import Scenario, by_part

FOR_GRADIENTS = "torch.fx.experimental.symbolic_shapes"  # a process's first gradient imports it: half a second
Shares = Sequence[tuple[Scenario, Mapping[Case, Case | None]]]  # a scenario's parts, their cases with baselines


@dataclass
class Prepared:
    """What is known before the first measurement: where, what, and what has been left out. `parts`: of a suite, the
    name of each part and how many cases it has, in the order of `baselines`."""

    device: str
    environment: Environment
    plans: list[Plan]
    baselines: dict[Case, Case | None]  # of every case, in the scenario's order
    parts: list[tuple[str, int]] = field(default_factory=list)

    @property
    def left_out(self) -> list[Measurement]:
        return [row for plan in self.plans for row in plan.left_out]

    @property
    def cases(self) -> list[Case]:
        return [case for plan in self.plans for case in plan.cases]

    def predicted_seconds(self, done: Container[str] = ()) -> float | None:
        """Wall time of what is not done yet, roughly; None without ceilings."""
        seconds = [plan.predicted_seconds(case) for plan in self.plans for case in plan.cases if case.id not in done]
        known = [value for value in seconds if value is not None]
        return sum(known) if len(known) == len(seconds) else None


@contextmanager
def held(device: str, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold a device whose name is known; a GPU is asked for its UUID first."""
    if device == "cpu":
        uuid = None
    else:
        with LocalExecutor() as executor:
            uuid = Machine(executor).uuid(device)
    with device_lock(device, waiting, uuid=uuid):
        yield


@contextmanager
def prepared(
    scenario: Scenario,
    device: str,
    select: Sequence[str],
    warn: Callable[[str], None],
    alone: bool = True,
) -> Iterator[tuple[Prepared, Executor]]:
    """Hold everything needed to measure `scenario` on this machine; `alone`: the device too, waiting for other runs to
    end."""
    with LocalExecutor(modules=preloaded((scenario,)), templates=True) as executor:
        machine = Machine(executor)
        device = machine.resolve(device)
        # While torch is being imported; refuses a selection that leaves nothing, over all parts.
        shares = shared_out(scenario, device, select)
        with device_lock(device, warn, uuid=machine.uuid(device)) if alone else nullcontext():
            environment = machine.environment(device)
            for warning in environment.warnings:
                warn(warning)
            ready = planned(shares, environment, machine.free_bytes(device), suite=bool(scenario.parts))
            yield ready, at_home(scenario, ready.baselines, executor)


def shared_out(scenario: Scenario, device: str, select: Sequence[str]) -> Shares:
    """The cases of each part. Raises UsageError and NothingSelected."""
    return [
        (part, {case: part.baseline_case(case) for case in cases}) for part, cases in by_part(scenario, device, select)
    ]


def planned(
    shares: Shares,
    environment: Environment,
    free_bytes: int,
    unsupported: Callable[[Case], str | None] | None = None,
    suite: bool = False,
) -> Prepared:
    """The plan of every part, on machines as `environment` describes one. `unsupported`: as for `plan.make`. `suite`:
    whether the parts are those of one."""
    plans, baselines = [], dict[Case, Case | None]()
    for part, compared in shares:
        plans.append(
            planning.make(
                compared.items(),
                part.sampling,
                free_bytes,
                environment.ceilings,
                unsupported=unsupported,
                context_bytes=0 if environment.device == "cpu" else planning.CONTEXT_BYTES,
                exclusive=environment.exclusive,
            )
        )
        baselines |= compared
    parts = [(part.name, len(compared)) for part, compared in shares if suite and compared]
    return Prepared(environment.device, environment, plans, baselines, parts)


def at_home(scenario: Scenario, cases: Iterable[Case], executor: Executor) -> Executor:
    """Workers that find the scenario's own kernels, where these cases have some."""
    return At(executor, scenario.folder) if has_own(cases) else executor


def has_own(cases: Iterable[Case]) -> bool:
    """Whether any of the cases is a kernel of the user's own."""
    return any(get_component(case.component).is_own(case) for case in cases)


def preloaded(scenarios: Iterable[Scenario]) -> tuple[str, ...]:
    """Modules that cases of these scenarios need, to be imported once, in the server, instead of in every worker.

    On whichever device: that is only known once torch is there.
    """
    wanted: dict[str, None] = {}
    parts = (part for scenario in scenarios for part in scenario.anywhere())
    for case in (point.on("cpu") for part in parts for point in part.points):
        wanted |= dict.fromkeys(get_component(case.component).variant_of(case).preload)
        if case.phase == "forward_backward":
            wanted[FOR_GRADIENTS] = None
    return tuple(wanted)
