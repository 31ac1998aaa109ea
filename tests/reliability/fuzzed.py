"""Everything that reads bytes from outside, each as a function that returns for what it reads or refuses in words, and
raises for a bug. No torch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tbench.analysis.run import Run
from tbench.claims import loader
from tbench.claims.loader import load as load_claims
from tbench.errors import TbenchError
from tbench.report import render
from tbench.scenario import expand, load
from tbench.scenario.options import Override
from tbench.store import FINISHED, HEADER, UNFINISHED, jsonfile
from tests.store.runs import HEADER_GIVEN

TABLE = Path(loader.__file__).with_name("table.yaml")
SCENARIO = b"version: 1\nname: a\ncomponent: attention\nfixed: {batch: 1, heads: 2, head_dim: 16}\n" + (
    b"sweep: {seq_len: [16, 32], kernel: [naive, flash]}\nbaseline: {kernel: naive}\n"
)


def in_a_file(source: bytes, name: str, do: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(source)
        with suppress(TbenchError):
            do(file)


def scenario(source: bytes) -> None:
    in_a_file(source, "scenario.yaml", lambda file: expand(load(file)))


def claims(source: bytes) -> None:
    in_a_file(source, "claims.yaml", lambda file: load_claims(TABLE, file))


def select(source: bytes) -> None:
    in_a_file(SCENARIO, "scenario.yaml", lambda file: expand(load(file), "cpu", [source.decode(errors="replace")]))


def override(source: bytes) -> None:
    with suppress(TbenchError):
        Override.read(source.decode(errors="replace"))
    in_a_file(SCENARIO, "scenario.yaml", lambda file: load(file, [source.decode(errors="replace")]))


def run_header(source: bytes) -> None:
    in_a_file(source, HEADER, lambda file: render(Run.read(file.parent), "text"))


def run_lines(source: bytes) -> None:
    def read(file: Path) -> None:
        header = {"schema_version": 1, "status": "complete", **HEADER_GIVEN}
        (file.parent / HEADER).write_bytes(jsonfile.dumps(header))
        (file.parent / UNFINISHED).write_bytes(source)
        for format in ("text", "csv"):
            render(Run.read(file.parent), format)

    in_a_file(source, FINISHED, read)


TARGETS: dict[str, Callable[[bytes], None]] = {
    function.__name__: function for function in (scenario, claims, select, override, run_header, run_lines)
}
