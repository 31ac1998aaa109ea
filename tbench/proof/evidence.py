"""What was proved of each variant, as a file: read by `tbench list` and the docs. No torch.

Evidence comes with tbench (`data/*.json`, one file for each machine) and from this user's own `tbench prove`.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tbench.catalog import get
from tbench.errors import UsageError
from tbench.records import Case, Environment, Status
from tbench.store import usercache, write_file

if TYPE_CHECKING:
    from tbench.analysis.run import Run

COMMITTED = Path(__file__).parent / "data"
NEVER = "never run"


@dataclass(frozen=True)
class Proof:
    """One case at a small size: set up, run and compared.

    `error`: against the float64 reference. `kernels`: the device's functions that one call ran. `queued`, `captured`:
    why calls cannot be queued ahead, or captured as a CUDA graph; "" where they can, None where it was not asked.
    """

    case: Case
    status: Status
    reason: str = ""
    ran: str = ""
    error: float | None = None
    kernels: tuple[str, ...] = ()
    queued: str | None = None
    captured: str | None = None


@dataclass(frozen=True)
class Evidence:
    """Everything proved on one machine."""

    device_name: str
    day: str
    versions: Mapping[str, str] = field(default_factory=dict)  # torch, cuda, cudnn, packages of kernels
    proofs: tuple[Proof, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        data = dataclasses.asdict(self)
        data["proofs"] = [dataclasses.asdict(one) | {"case": one.case.to_dict()} for one in self.proofs]
        return data

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Evidence:
        proofs = (
            Proof(**{**one, "case": Case.from_dict(one["case"]), "kernels": tuple(one["kernels"])})
            for one in data["proofs"]
        )
        return Evidence(data["device_name"], data["day"], dict(data["versions"]), tuple(proofs))


def versions(here: Environment) -> dict[str, str]:
    """What decides which kernels run."""
    known = {"torch": here.torch, "cuda": here.cuda, "cudnn": here.cudnn}
    return {name: one for name, one in known.items() if one} | dict(here.packages)


def of_run(run: Run) -> Evidence:
    """What a finished run proves, one case of each variant, phase and dtype; rows are compared with the reference."""
    proofs: dict[tuple[str, ...], Proof] = {}
    for one in run.measurements:
        component, case = get(one.case.component), one.case
        if not component.experiment:
            key = (case.component, str(case[component.variant_axis]), case.phase, case.dtype)
            proofs.setdefault(key, Proof(case, one.status, one.reason, one.ran, one.error))
    day = str(run.header.get("started", ""))[:10]
    return Evidence(run.environment.device_name, day, versions(run.environment), tuple(proofs.values()))


def default_path(device_name: str) -> Path:
    """Where this user's evidence about a machine is kept. Raises UsageError for a user without a home directory."""
    try:
        folder = usercache.folder()
    except OSError as problem:
        raise UsageError(f"{problem.strerror}: name a file with -o") from None
    return folder / f"proof-{slug(device_name)}.json"


def slug(device_name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", device_name.lower()).strip("-") or "device"


def write(path: Path, evidence: Evidence) -> None:
    """Whole or not at all. Raises StoreError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(evidence.to_dict(), indent=1) + "\n")


def read(path: Path) -> Evidence | None:
    """None for a file that is no evidence, or of another version."""
    try:
        return Evidence.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def every(committed_only: bool = False) -> list[Evidence]:
    """All evidence there is, the user's own last."""
    files = sorted(COMMITTED.glob("*.json"))
    if not committed_only:
        with suppress(OSError):  # a user without a home directory has none
            files += sorted(usercache.folder().glob("proof-*.json"))
    return [one for one in map(read, files) if one is not None]


def told(component: str, variant: str, known: Iterable[Evidence]) -> str:
    """`proved on NVIDIA H100 80GB HBM3 (decode), torch 2.11.0+cu130, 2026-11-26`: in which phases, where that is not
    all of the variant's; `never run` where nothing was."""
    axis, known_as = get(component).variant_axis, get(component).variants[variant]
    phases = known_as.phases or get(component).phases
    found = []
    for evidence in known:
        ok = [
            one
            for one in evidence.proofs
            if one.status == "ok" and one.case.component == component and one.case.get(axis) == variant
        ]
        if ok:
            torch = evidence.versions.get("torch", "?")
            needed = [distribution for _, distribution in known_as.requires]
            packages = [f"{name} {evidence.versions[name]}" for name in needed if name in evidence.versions]
            ran = [phase for phase in phases if any(one.case.phase == phase for one in ok)]
            where = evidence.device_name + (f" ({', '.join(ran)})" if len(ran) < len(phases) else "")
            found.append(", ".join([f"proved on {where}", f"torch {torch}", *packages, evidence.day]))
    return "; ".join(dict.fromkeys(found)) or NEVER


def page(component: str) -> str:
    """What comes with tbench of a component, as a Markdown table: for the docs."""
    known = every(committed_only=True)
    axis = get(component).variant_axis
    lines = [f"| `{axis}` | evidence |", "|---|---|"]
    lines += [f"| `{name}` | {told(component, name, known)} |" for name in get(component).variants]
    return "\n".join(lines) + "\n"
