"""Where this machine's ceilings are kept between runs: one small JSON file per device, threads and torch version."""

from __future__ import annotations

import hashlib
import json
import math
import os
from contextlib import suppress
from pathlib import Path

from tbench.measure import machine
from tbench.records import Ceilings
from tbench.store import usercache

METHOD = {"cpu": 2, "cuda": 4}  # raised when ceilings are measured in another way: older ones are measured again


def path(device: str) -> Path:
    """The file of `device` as this process would use it."""
    import torch

    if device == "cpu":
        name = machine.cpu_model()
    else:
        properties = torch.cuda.get_device_properties(device)
        name = f"{properties.name} {properties.uuid}"
    kind = device.split(":")[0]
    words = (str(METHOD[kind]), kind, name, str(torch.get_num_threads()), torch.__version__)
    fingerprint = hashlib.blake2b("\n".join(words).encode(), digest_size=8).hexdigest()
    return usercache.folder() / f"ceilings-{fingerprint}.json"


def load(file: Path) -> Ceilings | None:
    """What was kept; None where there is nothing or nothing that can be used."""
    try:
        ceilings = Ceilings.from_dict(json.loads(file.read_text(encoding="utf-8")))
        rates = [*ceilings.flops.values(), *(rate for _, rate in ceilings.bandwidth)]
        usable = bool(ceilings.bandwidth) and all(math.isfinite(rate) and rate > 0 for rate in rates)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return ceilings if usable else None


def save(file: Path, ceilings: Ceilings) -> None:
    """Keep them: whole or not at all, also if two processes write at once.

    Where it cannot be written nothing is kept and they are measured again next time; a warning says so to the user
    (`usercache.problem`).
    """
    new = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps(ceilings.to_dict()), encoding="utf-8")
        new.replace(file)
    except OSError:
        with suppress(OSError):
            new.unlink()
