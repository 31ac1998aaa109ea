"""What a node of a cluster runs: one device of it, and the workers there. Knows nothing of Ray.

What goes back is JSON, so that the run folder holds only what can be read as data, whatever a node sends.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from tbench.components import own
from tbench.execution.executor import At, Executor
from tbench.execution.local import LocalExecutor
from tbench.execution.lock import device_lock
from tbench.execution.workplace import Event, Job, Machine, Step, Workplace
from tbench.records import Case, Environment, Measurement
from tbench.store import jsonfile

MOST_BYTES = 256 * 2**20  # of one message


def versions() -> dict[str, str]:
    """What must be the same on every machine of a run: versions, and the code of tbench itself."""
    package = Path(__file__).parents[1]
    digest = hashlib.blake2b(digest_size=6)
    for file in sorted(package.rglob("*.py")):
        digest.update(f"{file.relative_to(package)}\n".encode() + file.read_bytes())
    torch = installed("torch").partition("+")[0]  # whether it is built for CUDA may differ
    python = ".".join(platform.python_version_tuple()[:2])
    return {"tbench": installed("tbench"), "tbench code": digest.hexdigest(), "torch": torch, "Python": python}


def installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # run from a folder
        return "not installed"


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """`torch 2.12.0 there, 2.13.0 here`; empty where nothing differs."""
    found = [f"{name} {there.get(name)} there, {here[name]} here" for name in here if here[name] != there.get(name)]
    return "; ".join(found)


class Member:
    """One device of a node. `device`: `cpu` or `cuda`. `lock`: the device's name for other runs on this machine, which
    `shared` ones hold together. `home`: the scenario's folder below the current one, where its code has travelled."""

    def __init__(
        self,
        host: str,
        device: str,
        threads: int,
        modules: Sequence[str],
        shared: bool = False,
        home: str | None = None,
    ) -> None:
        self.host, self.device, self.threads, self.shared = host, device, threads, shared
        self.modules, self.home = modules, home
        self.workplace: Workplace

    def versions(self) -> dict[str, str]:
        return versions()

    def describe(self, lock: str) -> bytes:
        """Start the workers' server; the machine's environment and free bytes, as JSON."""
        self.lock = lock
        executor: Executor = LocalExecutor(threads=self.threads, modules=self.modules, templates=True)
        machine = Machine(executor)
        device = machine.resolve(self.device)
        self.uuid = machine.uuid(device)
        with device_lock(lock, lambda sentence: None, uuid=self.uuid, shared=self.shared):
            environment = machine.environment(device)
        if self.home is not None:
            here = Path.cwd()
            if not any((here / mark).exists() for mark in own.MARKS):
                (here / own.MARKS[0]).touch()  # modules are looked for from the root of what has travelled
            executor = At(executor, here / self.home)
        free_bytes = machine.free_bytes(device)
        self.workplace = Workplace(executor, environment, self.threads, self.host, free_bytes=free_bytes)
        return jsonfile.dumps({"environment": environment.to_dict(), "free_bytes": free_bytes})

    def unsupported(self, cases: Sequence[Case]) -> list[str | None]:
        """Why cases cannot run with the packages of this node."""
        found: list[str | None] = Machine(self.workplace.executor).ask("unsupported", cases=list(cases))
        return found

    def work(self, job: Job) -> Iterator[bytes]:
        """Do a job, alone on the device; every event as JSON."""
        with device_lock(self.lock, lambda sentence: None, uuid=self.uuid, shared=self.shared):
            for event in self.workplace.work(job):
                yield encoded(event)


def encoded(event: Event) -> bytes:
    if isinstance(event, Environment):
        return jsonfile.dumps({"environment": event.to_dict()})
    return jsonfile.dumps({"finished": event.finished, "cases": [one.to_dict() for one in event.measurements]})


def decoded(message: Any) -> Event:
    """What `encoded` made. Raises ValueError for anything else."""
    if not isinstance(message, bytes) or len(message) > MOST_BYTES:
        raise ValueError("not a message of tbench")
    try:
        data = jsonfile.loads(message)
        if "environment" in data:
            return Environment.from_dict(data["environment"])
        return Step(tuple(Measurement.from_dict(one) for one in data["cases"]), data["finished"] is True)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as problem:
        raise ValueError(f"not a message of tbench ({problem})") from None
