"""`tbench doctor`: what this machine is, what it can do, how steady it is, and what to fix. The result on stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from tbench.cli.checkup import Fact, Findings, document, sections
from tbench.cli.list import nvidia_device
from tbench.errors import UsageError
from tbench.execution.executor import WorkerFailed
from tbench.execution.local import LocalExecutor
from tbench.execution.lock import device_lock
from tbench.execution.noise import measure_noise
from tbench.execution.workplace import Machine
from tbench.measure import compiler
from tbench.measure.telemetry import Telemetry
from tbench.records import Environment
from tbench.tables.formats import chosen
from tbench.tables.json import dumps
from tbench.tables.table import Table
from tbench.tables.text import PROSE, Sheet

Answer = TypeVar("Answer")
ALONE = (
    "the GPU is in exclusive-process mode, and measuring noise needs two processes at once: allow that with "
    "sudo nvidia-smi -c 0"
)


def doctor(device: str, refresh: bool, format: str = "text") -> None:
    """Examine the machine and print what was found. `refresh` measures the ceilings again. Raises UsageError."""
    make = chosen(format, FORMATS)
    sys.stdout.write(make(examine(device, refresh)))


def text(found: Findings) -> str:
    sheet = Sheet(wide=PROSE)
    for one in sections(found):
        sheet.say(f"{'✓' if one.ok else '!'} {one.name}: {one.verdict}", "loud")
        sheet.table(Table.of_words(("", ""), one.facts))
        for remedy in one.remedies:
            sheet.note(f"→ {remedy}")
        sheet.say()
    failing = [one.name for one in sections(found) if not one.ok]
    sheet.say(f"to fix: {', '.join(failing)}" if failing else "nothing to fix", "loud")
    return str(sheet)


def json(found: Findings) -> str:
    return dumps(document(found, sections(found)))


FORMATS: dict[str, Callable[[Findings], str]] = {"text": text, "json": json}


def examine(device: str, refresh: bool) -> Findings:
    """Ask worker processes everything that needs torch, the device held so that no other run is disturbed."""
    with LocalExecutor() as executor:
        machine = Machine(executor)
        device = machine.resolve(device)
        devices = tuple(known_devices(machine))
        warn = partial(print, "warning:", file=sys.stderr)
        with device_lock(device, warn, uuid=machine.uuid(device)):
            environment: Environment = machine.ask("environment", device=device)
            ceilings = attempted(lambda: machine.ceilings(device, "replace" if refresh else ""))
            noise = ALONE if environment.exclusive else attempted(lambda: measure_noise(executor, device))
    gpu = Telemetry(environment.device_uuid).snapshot() if environment.device_uuid else None
    return Findings(environment, devices, ceilings, noise, gpu, compiler.problem(), nvidia_device())


def attempted(question: Callable[[], Answer]) -> Answer | str:
    """The answer, or why there is none."""
    try:
        return question()
    except WorkerFailed as failure:
        return f"{failure.status}: {failure.reason}"
    except UsageError as refused:
        return str(refused)


def known_devices(machine: Machine) -> Iterator[Fact]:
    """Every device that could be named after --device; why an NVIDIA device that the system shows is not among them."""
    index = 0
    while True:
        try:
            name = machine.resolve("cpu" if index == 0 else f"cuda:{index - 1}")
        except UsageError as refused:
            if index == 1 and nvidia_device():
                yield "cuda", str(refused)
            return
        yield name, machine.ask("environment", device=name).device_name
        index += 1
