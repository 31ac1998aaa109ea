"""The gate's folder: both sides' measurements as two runs, and the result. Kept up to date while it goes on.

base/, new/   run folders, for `tbench report`, `tbench compare` and your own plots
gate.json     the outcomes, every pair's difference, and the control's measurements
gate.md       the same to be read
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tbench.analysis.statistics import Interval
from tbench.comparison.model import Verdict
from tbench.errors import StoreError
from tbench.gate.outcome import Measured, Outcome, Result
from tbench.gate.paired import PairedCase
from tbench.gate.sides import Sides
from tbench.gate.text import markdown
from tbench.records import Measurement
from tbench.store import RunFolder, jsonfile, write_file

SIDES = ("base", "new")


class Folder:
    """Saves what there is of a gate: `save` after every sweep, `finish` at its end."""

    def __init__(self, path: Path, sides: Sides, header: Mapping[str, Any], measured: Measured) -> None:
        self.path = path
        self.measured = measured
        self.stack = ExitStack()
        self.stores = {
            name: self.stack.enter_context(
                RunFolder.create(
                    path / name,
                    {
                        **header,
                        "scenario": side.scenario.on(sides.device).to_dict(),
                        "environment": side.environment.to_dict(),
                        "device": sides.device,
                        "side": side.label,
                    },
                )
            )
            for name, side in (("base", sides.base), ("new", sides.new))
        }

    def rows(self, side: str) -> list[Measurement]:
        """What a side has of the cases; the new one has what was not compared too."""
        found = [one.measured(side) for one in self.measured.pairs]
        beside = [*self.measured.alone.values(), *self.measured.left_out.values()] if side == "new" else []
        return [one for one in found if one is not None] + beside

    def save(self) -> None:
        for side, store in self.stores.items():
            store.checkpoint(self.rows(side))

    def finish(self, result: Result | None) -> None:
        """Close the runs, and write what was found; `result` None: it was interrupted, and there is no verdict."""
        with self.stack:
            for side, store in self.stores.items():
                if result is None:
                    store.checkpoint(self.rows(side))
                else:
                    for one in self.rows(side):
                        store.append(one)
                store.finish("complete" if result is not None else "interrupted")
        control = self.measured.control
        controls = [control.measured(side) for side in SIDES] if control else []
        pairs = [differences(one) for one in self.measured.all_pairs]
        write(self.path, result, pairs, [one for one in controls if one is not None])


def write(
    folder: Path,
    result: Result | None,
    pairs: Sequence[Mapping[str, Any]] = (),
    control: Sequence[Measurement] = (),
) -> None:
    """Write gate.json, and gate.md where there is a result. Raises StoreError."""
    content = {
        "schema_version": 1,
        "result": result and result.to_dict(),
        "pairs": list(pairs),
        "control": [one.to_dict() for one in control],
    }
    write_file(folder / "gate.json", jsonfile.dumps(content, indent=1).decode())
    if result is not None:
        write_file(folder / "gate.md", markdown(result))


def read(folder: Path) -> Result:
    """The result that `write` has written. Raises StoreError where there is none."""
    path = folder / "gate.json"
    try:
        found = jsonfile.loads(path.read_bytes())["result"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise StoreError(
            f"{path}: cannot be read ({problem}): name the folder that `tbench gate -o` wrote"
        ) from problem
    if found is None:
        raise StoreError(f"{folder}: the gate was interrupted, so there is no verdict; run it again")
    given = {name: value for name, value in found.items() if name != "exit_code"}
    control = given["control"] and _outcome(given["control"])
    given |= {"outcomes": tuple(map(_outcome, given["outcomes"])), "control": control, "notes": tuple(given["notes"])}
    return Result(**given)


def _outcome(found: Mapping[str, Any]) -> Outcome:
    ratio = found["ratio"] and Interval(**found["ratio"])
    return Outcome(**{**found, "verdict": Verdict(found["verdict"]), "ratio": ratio})


def differences(one: PairedCase) -> dict[str, Any]:
    """Every pair's logarithm of new ÷ base."""
    return {"case": one.name, **dataclasses.asdict(one.evidence)}


def refuse_result(folder: Path) -> None:
    """Raises StoreError where the folder already holds a gate result."""
    if any((folder / name).exists() for name in ("gate.json", *SIDES)):
        raise StoreError(f"{folder} already holds a gate result: name another folder with -o")
