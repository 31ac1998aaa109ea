"""Write the contracts anew; the difference is for a review."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.contracts import HERE, contract

for archive in map(Path, sys.argv[1:]):
    made = contract(archive)
    file = HERE / f"{made['distribution']}.json"
    file.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    print(f"{file.name}: {made['version']}, {len(made['functions'])} functions")
