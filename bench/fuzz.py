"""The coverage-guided fuzzer (atheris) on everything that reads bytes from outside.

    python bench/fuzz.py [SECONDS [TARGET…]]

Fuzzes each target of tests/reliability/fuzzed.py for SECONDS (60), beginning with its corpus in
tests/reliability/corpus, and adds the shortest of the inputs that reached new code. Writes the figures to
results/reliability/fuzz.json, unless those of a longer time are there. An input that raises anything but an error of
tbench is written to results/reliability/found, and the exit code is 1.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CORPUS, RESULTS = ROOT / "tests/reliability/corpus", ROOT / "results/reliability"
LONGEST = 1024  # bytes of an input
MOST_KEPT = 40  # inputs of a target's corpus
SLOW = 10  # seconds in which an input must be read


def fuzz(target: str, words: list[str]) -> None:
    """In a process of its own, which atheris ends."""
    import atheris

    with atheris.instrument_imports(include=["tbench", "tests.reliability.fuzzed"]):
        from tests.reliability.fuzzed import TARGETS
    atheris.Setup([sys.argv[0], *words], TARGETS[target])
    atheris.Fuzz()


def fuzzed(target: str, seconds: int) -> dict[str, Any]:
    kept = CORPUS / target
    kept.mkdir(parents=True, exist_ok=True)
    found = RESULTS / "found" / target
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        grown = Path(name)
        limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-timeout={SLOW}", f"-artifact_prefix={found}/"]
        done = run(target, [*limits, "-print_final_stats=1", str(grown), str(kept)])
        said = done.stderr
        if done.returncode == 0:
            keep(grown, kept)
    return {
        "target": target,
        "seconds": seconds,
        "inputs": int((re.findall(r"number_of_executed_units:\s*(\d+)", said) or ["0"])[0]),
        "coverage": int((re.findall(r"cov: (\d+)", said) or ["0"])[-1]),
        "corpus": len(list(kept.iterdir())),
        "open": sorted(file.name for file in found.iterdir()),
        "said": [] if done.returncode == 0 else said.splitlines()[-30:],
    }


def keep(grown: Path, kept: Path) -> None:
    """Add what reached new code, and keep the shortest of all; seeds that were put there by name stay."""
    for file in grown.iterdir():
        shutil.copy(file, kept / file.name[:16])
    found = [file for file in kept.iterdir() if not file.name.startswith("seed")]
    for file in sorted(found, key=lambda file: (file.stat().st_size, file.name))[MOST_KEPT:]:
        file.unlink()


def run(target: str, words: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, __file__, "--one", target, *words]
    return subprocess.run(
        command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, errors="replace"
    )


def main(seconds: int, targets: list[str]) -> int:
    results = [fuzzed(target, seconds) for target in targets]
    for one in results:
        print(f"{one['target']:12} {one['inputs']:8} inputs, {one['coverage']:6} edges, {len(one['open'])} open")
        print("\n".join(one["said"]), end="")
    written = RESULTS / "fuzz.json"
    longest = sum(one["seconds"] for one in json.loads(written.read_text())) if written.exists() else 0
    if sum(one["seconds"] for one in results) >= longest:
        written.write_text(json.dumps(results, indent=2) + "\n")
    return int(any(one["open"] or one["said"] for one in results))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    if sys.argv[1:2] == ["--one"]:
        fuzz(sys.argv[2], sys.argv[3:])
    else:
        from tests.reliability.fuzzed import TARGETS as EVERY

        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60, sys.argv[2:] or list(EVERY)))
