"""What a large scenario costs before anything is measured: to read and list ten thousand cases, and to plan them.

    python bench/planning.py [CASES]

Writes scenarios of about CASES cases (many axes; one long axis; all compared with one baseline), lists each with
`tbench list` and plans it with `tbench run --dry-run`, in fresh processes. Prints seconds, and the peak memory of the
process that plans, which loads no torch; before that the same for a tenth of the cases, and for a few, so that the
machine's ceilings are known and torch is in memory. Exits 1 if listing takes more than 3 s, or planning more than 5 s
or 300 MB.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

LIST_SECONDS, PLAN_SECONDS, PLAN_BYTES = 3.0, 5.0, 300e6
RUN = (
    "import resource, sys; from tbench.cli import exit_code; code = exit_code(sys.argv[1:]); sys.stdout.flush(); "
    "sys.exit(code or print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr))"
)


class Cost(NamedTuple):
    seconds: float
    bytes: float


def scenarios(cases: int) -> dict[str, str]:
    """Scenarios of about so many cases, by what is large in them."""
    batches, heads = range(1, max(1, cases // 200) + 1), range(1, 11)
    many = f"batch: {[*batches]}\n  heads: {[*heads]}\n  head_dim: {[16 * n for n in range(1, 11)]}"
    long = f"seq_len: {[16 + n for n in range(max(1, cases // 2))]}"
    return {
        "many axes": written({"seq_len": 64}, many, "kernel: naive"),
        "one long axis": written({"batch": 1, "heads": 8, "head_dim": 64}, long, "kernel: naive"),
        "one baseline": written({"batch": 1, "heads": 8, "head_dim": 64}, long, "kernel: naive, seq_len: 16"),
    }


def written(sizes: dict[str, int], sweep: str, baseline: str) -> str:
    fixed = ", ".join(f"{name}: {size}" for name, size in sizes.items())
    return (
        f"version: 1\nname: large\ncomponent: attention\nfixed: {{{fixed}, dtype: float32, causal: true}}\n"
        f"sweep:\n  {sweep}\n  kernel: [naive, flash]\nbaseline: {{{baseline}}}\n"
    )


def cost(*arguments: str) -> Cost:
    """What one command takes. Raises SystemExit with its words if it fails."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"tbench {' '.join(arguments)}: {done.stderr}")
    return Cost(seconds, int(done.stderr.split()[-1]) * 1024.0)


def main(cases: int) -> int:
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.yaml"
        print(f"{'':14} {'cases':>6} {'list':>8} {'plan':>8} {'memory':>8}")
        for number in (20, cases // 10, cases):
            for what, text in scenarios(number).items():
                file.write_text(text)
                listed = cost("list", str(file), "--device", "cpu")
                planned = cost("run", str(file), "--device", "cpu", "--dry-run")
                figures = f"{listed.seconds:6.1f} s {planned.seconds:6.1f} s {planned.bytes / 1e6:5.0f} MB"
                print(f"{what:14} {number:6} {figures}")
                if number == cases:
                    failed |= listed.seconds > LIST_SECONDS or planned.seconds > PLAN_SECONDS
                    failed |= planned.bytes > PLAN_BYTES
    print(f"allowed at {cases}: list {LIST_SECONDS:.0f} s, plan {PLAN_SECONDS:.0f} s and {PLAN_BYTES / 1e6:.0f} MB")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
