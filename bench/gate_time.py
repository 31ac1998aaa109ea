"""How long a gate of 5 cases takes, and one of 20, in a repository of one's own.

    python bench/gate_time.py

Makes a repository with a kernel and a scenario, runs `tbench gate --against HEAD` in it, and exits 1 if 5 cases take
more than 90 seconds or 20 more than 5 minutes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "own-kernel" / "kernels.py"
LIMITS = {5: 90.0, 20: 300.0}
SCENARIO = """\
version: 1
name: mine
component: attention
fixed: {{batch: 1, head_dim: 64, causal: true, kernel: "./kernels.py:attend"}}
sweep:
  heads: {heads}
  seq_len: [128, 192, 256, 384, 512]
"""
SWEEPS = {5: "[8]", 20: "[1, 2, 4, 8]"}


def seconds(cases: int) -> tuple[float, int, str]:
    """Wall time, exit code and what the gate said."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copy(EXAMPLE, folder / "kernels.py")
        (folder / "scenario.yaml").write_text(SCENARIO.format(heads=SWEEPS[cases]))
        who = ["-c", "user.name=Bench", "-c", "user.email=bench@example.org"]
        for words in (["init", "--quiet"], ["add", "-A"], [*who, "commit", "--quiet", "-m", "first"]):
            subprocess.run(["git", *words], cwd=folder, check=True)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "tbench", "gate", "scenario.yaml", "--against", "HEAD", "--device", "cpu"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        return time.perf_counter() - began, done.returncode, done.stdout + done.stderr


def main() -> int:
    late = False
    for cases, limit in LIMITS.items():
        taken, code, said = seconds(cases)
        late |= taken > limit or code not in (0, 3)
        verdicts = [line.split()[0] for line in said.splitlines() if line[:1].isupper() and "attention/" in line]
        print(f"{cases} cases: {taken:.0f} s (allowed {limit:.0f}), exit code {code}, {sorted(verdicts)}")
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
