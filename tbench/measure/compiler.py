"""Whether the C++ compiler that compiled kernels need on a CPU is here and works. Imports no torch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path

SECONDS = 60.0
# What the generated kernels need beside C++ itself: OpenMP, and Python's headers to be loaded as a module.
PROGRAM = """\
#include <Python.h>
#include <omp.h>
#include <vector>
extern "C" int threads() { std::vector<int> counts{omp_get_max_threads()}; return counts[0]; }
"""
REMEDY = "install one (Debian, Ubuntu: apt-get install g++ python3-dev) or name it in CXX"


def command(variables: Mapping[str, str]) -> str:
    """The compiler `torch.compile` takes: CXX, else clang++ on macOS and g++ elsewhere."""
    return variables.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")


def problem(variables: Mapping[str, str] = os.environ) -> str | None:
    """Why kernels cannot be compiled here, with what to do about it; None if they can."""
    compiler = command(variables)
    if shutil.which(compiler) is None:
        return f"no C++ compiler: {compiler} is not found; {REMEDY}"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "probe.cpp"
        source.write_text(PROGRAM)
        include = f"-I{sysconfig.get_paths()['include']}"
        output = Path(folder) / "probe.so"
        words = [compiler, "-shared", "-fPIC", "-fopenmp", "-std=c++17", include, str(source), "-o", str(output)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS)
        except (OSError, subprocess.TimeoutExpired) as failure:
            return f"{compiler} does not work ({type(failure).__name__}); {REMEDY}"
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line), f"exit code {done.returncode}")
        return f"{compiler} does not compile ({said.strip()}); {REMEDY}"
    return None
