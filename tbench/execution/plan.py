"""Which cases will be measured, side by side with what, and what that will take. Runs nothing.

What is known to be impossible here (a variant's own limits, more memory than is free) becomes a finished row with
its reason before anything starts, so that a sweep never dies half-way.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tbench.catalog import get as get_component
from tbench.records import Case, Ceilings, Injection, Measurement, Sampling, Status, Turn, Work

MEMORY_SHARE = 0.9  # of what is free now; the rest is left to the system
NOT_TOGETHER = (
    "measured separately from its baseline (not enough free memory for both, or the baseline is in another scenario)"
)
ALONE = (
    "measured separately from its baseline: the GPU is in exclusive-process mode, which lets one process at a time use "
    "it; sudo nvidia-smi -c 0 allows turns"
)
CONTEXT_BYTES = 750 * 2**20  # that a process with a CUDA context holds beside its tensors (612 to 742 MiB on an H100)
ROOM = 2  # of what is left, one part may be further sets of inputs
START_SECONDS = 0.1  # fork, oracle check and memory pass of a small case


@dataclass(frozen=True)
class Group:
    """Cases that are compared with `baseline` (one of them, or None) and therefore measured in turns."""

    cases: tuple[Case, ...]
    baseline: Case | None = None
    bytes: int = 0  # what its processes hold together, without further sets of inputs
    room: int | None = None  # bytes that each process may use for further sets of inputs
    crowded: bool = False  # processes must give back what they have freed, for all do not fit otherwise


@dataclass
class Draft:
    """A case while it is being measured."""

    case: Case
    baseline: str | None
    work: Work | None
    predicted_bytes: int
    notes: tuple[str, ...] = ()
    measurement: Measurement | None = None  # everything up to the last complete round
    stopped: str = ""
    injection: Injection | None = None  # made slower or bigger on purpose
    room: int | None = None  # as its group's
    crowded: bool = False

    @property
    def turns(self) -> tuple[Turn, ...]:
        return self.measurement.turns if self.measurement else ()

    @property
    def finished(self) -> bool:
        return bool(self.stopped) or (self.measurement is not None and self.measurement.status != "ok")


@dataclass(frozen=True)
class Plan:
    """`groups`: what will be timed. `experiments`: what will be carried out, not timed. `left_out`: rows that are
    finished already, with their reason."""

    groups: tuple[Group, ...]
    experiments: tuple[Case, ...]
    left_out: tuple[Measurement, ...]
    predicted_bytes: dict[Case, int]
    work: dict[Case, Work]  # of what will be timed
    seconds: dict[Case, float]  # per call, predicted; empty without ceilings
    sampling: Sampling
    exclusive: bool = False  # the device lets one process at a time use it

    @property
    def cases(self) -> tuple[Case, ...]:
        return (*self.experiments, *(case for group in self.groups for case in group.cases))

    def predicted_seconds(self, case: Case) -> float | None:
        """Wall time this case will take, roughly; None without ceilings."""
        call = self.seconds.get(case)
        if call is None:
            return None
        s = self.sampling
        a_round = START_SECONDS + 2 * call + max(s.warmup, call) + s.turns * max(s.turn_time, call)
        return min(max(s.min_rounds * a_round, s.min_time), s.max_time + s.min_rounds * (START_SECONDS + 4 * call))


def make(
    pairs: Iterable[tuple[Case, Case | None]],
    sampling: Sampling,
    free_bytes: int,
    ceilings: Ceilings | None,
    unsupported: Callable[[Case], str | None] | None = None,
    context_bytes: int = 0,
    exclusive: bool = False,
) -> Plan:
    """Plan cases, each with its baseline (or None). Cases with the same baseline are measured together.

    `free_bytes`: memory that is free on the device now. `ceilings`: for predicted times, if known. `unsupported`: why a
    case cannot run; None: as its component says here. `context_bytes`: what a process needs on the device beside its
    tensors. `exclusive`: the device lets one process at a time use it, so nothing is measured in turns.
    """
    budget = int(free_bytes * MEMORY_SHARE)
    left_out: list[Measurement] = []
    experiments: list[Case] = []
    compared: dict[Case, list[Case]] = {}
    bytes_, work, seconds = {}, {}, {}
    for case, baseline in pairs:
        component = get_component(case.component)
        bytes_[case] = component.predict_bytes(case)
        reason = (unsupported or component.unsupported)(case) or condition(case)
        status: Status = "unsupported"
        needed = bytes_[case] + context_bytes + (0 if component.experiment else graph_pool(case, bytes_[case]))
        if reason is None and needed > budget:
            status, reason = "oom", f"would need {gib(needed)}, {gib(budget)} free; not started"
        if reason is not None:
            compared_with = baseline.id if baseline else None
            left_out.append(Measurement(case, status, reason, baseline=compared_with, work=component.work_of(case)))
            continue
        if component.experiment:
            experiments.append(case)
            continue
        work[case] = minimum(case)
        if ceilings is not None:
            seconds[case] = call_seconds(work[case], case.arithmetic, bytes_[case], ceilings)
        compared.setdefault(case if exclusive else baseline or case, []).append(case)
    groups: list[Group] = []
    for baseline, members in compared.items():
        groups += fitting(baseline if baseline in members else None, members, bytes_, budget, context_bytes)
    return Plan(tuple(groups), tuple(experiments), tuple(left_out), bytes_, work, seconds, sampling, exclusive)


def condition(case: Case) -> str | None:
    """Why a case cannot be measured under the condition it asks for."""
    if case.device != "cpu" and case.get("allocator") is not None:
        return f"{case.device} always uses PyTorch's caching allocator; the allocator axis is for CPUs"
    if case.device == "cpu" and case.get("launch") is not None:
        return "a CPU carries out a call when it is made; the launch axis is for GPUs"
    if case.get("fp32_precision") is not None and (case.device == "cpu" or case.dtype != "float32"):
        return "TF32 is how a GPU may multiply float32 matrices; it changes no other dtype and no CPU"
    return None


def graph_pool(case: Case, peak: int) -> int:
    """Bytes that a captured graph keeps to replay in, beside what the calls before it have worked in: outputs and
    workspace once more."""
    return max(0, peak - resident(case)) if case.get("launch") == "graph" else 0


def resident(case: Case) -> int:
    """Bytes that are there between calls."""
    return get_component(case.component).resident_bytes(case)


def fitting(
    baseline: Case | None,
    members: Sequence[Case],
    peak: dict[Case, int],
    budget: int,
    context_bytes: int = 0,
) -> list[Group]:
    """Split a group whose processes do not fit into memory together.

    All of them are alive at once, one computes: their inputs, contexts and graphs add up, only one workspace must be
    there. A case that does not fit beside its baseline is measured alone, and has no speed-up.
    """
    together: set[Case] = set()
    alone: list[Case] = []
    there, largest = 0, 0  # bytes
    for case in sorted(members, key=lambda member: member != baseline):
        inputs = min(resident(case), peak[case])
        stays = inputs + context_bytes + graph_pool(case, peak[case])
        if there + stays + max(largest, peak[case] - inputs) <= budget:
            there, largest = there + stays, max(largest, peak[case] - inputs)
            together.add(case)
        else:
            alone.append(case)
    first = [case for case in members if case in together]
    return [
        grouped(first, baseline, peak, there + largest, budget, context_bytes),
        *(grouped([case], None, peak, own(case, peak, context_bytes), budget, context_bytes) for case in alone),
    ]


def own(case: Case, peak: dict[Case, int], context_bytes: int) -> int:
    """Bytes of a process that is alone."""
    return peak[case] + context_bytes + graph_pool(case, peak[case])


def grouped(
    cases: Sequence[Case], baseline: Case | None, peak: dict[Case, int], least: int, budget: int, context_bytes: int
) -> Group:
    """The group, with what is left of the memory for further sets of inputs: processes keep what they have freed,
    unless their peaks together are too much; then they hold `least`."""
    kept = sum(own(case, peak, context_bytes) for case in cases)
    crowded = kept > budget
    return Group(tuple(cases), baseline, least if crowded else kept, share(budget, kept, len(cases)), crowded)


def share(budget: int, kept: int, processes: int) -> int:
    """Bytes that each of these processes may use for further sets of inputs."""
    return max(0, budget - kept) // (ROOM * processes)


def drafts(
    group: Group, plan: Plan, baselines: Mapping[Case, Case | None], planned: Container[Case]
) -> dict[Case, Draft]:
    """Empty drafts for a group's cases. `planned`: all that will be measured, in every part."""
    made = {}
    for case in group.cases:
        baseline = baselines[case]
        apart = baseline is not None and baseline != group.baseline and baseline in planned
        notes = (ALONE if plan.exclusive else NOT_TOGETHER,) if apart else ()
        compared = None if apart or baseline is None else baseline.id
        work, memory = plan.work[case], plan.predicted_bytes[case]
        made[case] = Draft(case, compared, work, memory, notes, room=group.room, crowded=group.crowded)
    return made


def call_seconds(work: Work, dtype: str, peak: int, ceilings: Ceilings) -> float:
    """A rough prediction of one call: half the machine's best on the work, and the workspace written and read."""
    ideal = ceilings.seconds(work, dtype) or ceilings.seconds(work, "float32") or 0.0
    workspace = max(0.0, peak - work.bytes)
    return 2 * ideal + 4 * workspace / ceilings.bytes_per_second(float("inf"))


def minimum(case: Case) -> Work:
    """What a timed case must do at least."""
    work = get_component(case.component).work_of(case)
    assert work is not None
    return work


def gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
