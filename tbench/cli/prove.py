"""`tbench prove`: run every variant once at small sizes, and keep the evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tbench.cli.output import say, warn
from tbench.proof.evidence import Evidence, Proof, default_path, of_run, write
from tbench.records import FAILED
from tbench.tables.units import counted


def prove(device: str, select: Sequence[str], output: str | None, run: str | None) -> int:
    """Print a line for each case and where the evidence is; 4 if any is wrong or broken."""
    evidence, path = of_finished(run, output) if run is not None else now(device, select, output)
    counts = Counter(one.status for one in evidence.proofs)
    say([f"{', '.join(f'{count} {status}' for status, count in counts.items())}; evidence in {path}"])
    return 4 if any(one.status in FAILED for one in evidence.proofs) else 0


def now(device: str, select: Sequence[str], output: str | None) -> tuple[Evidence, Path]:
    from tbench.proof.run import Asked, prove

    def told(proof: Proof) -> None:
        say([line(proof)])

    return prove(
        Asked(device, select, lambda here: Path(output) if output else default_path(here.device_name)), warn, told
    )


def of_finished(run: str, output: str | None) -> tuple[Evidence, Path]:
    from tbench.analysis.run import Run

    evidence = of_run(Run.read(Path(run)))
    path = Path(output) if output else default_path(evidence.device_name)
    write(path, evidence)
    return evidence, path


def line(proof: Proof) -> str:
    """`ok attention/forward … kernel=flash: error 1.2e-07, 2 device kernels, queued ahead, captured`."""
    if proof.status != "ok":
        return f"{proof.status} {proof.case.id}: {proof.reason}"
    found = [f"error {proof.error:.2g}"] if proof.error is not None else []
    found += [counted(len(proof.kernels), "device kernel")] if proof.kernels else []
    for what, why_not in (("queued ahead", proof.queued), ("captured as a graph", proof.captured)):
        if why_not is not None:
            found.append(f"not {what} ({why_not})" if why_not else what)
    return f"ok {proof.case.id}: {', '.join(found)}"
