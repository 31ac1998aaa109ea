"""Runs to export, and the schema that JUnit files must keep.

`junit-10.xsd` is the schema of Jenkins' xunit plugin, as it lies in pytest 9.2.0's source distribution
(testing/example_scripts/junit-10.xsd; MIT licence, in the file).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import xmlschema

from tbench.analysis.run import Run
from tbench.records import Case, Measurement
from tbench.report.exchange import (  # not its names: pytest would take them for tests
    EVERY_CASE,
    FORMATS,
)
from tests.synthetic import ENVIRONMENT, header

TIMED = sorted(set(FORMATS) - EVERY_CASE)
HERE = replace(ENVIRONMENT, ceilings=None)  # made-up times are faster than any machine
EXPERIMENT = Measurement(
    Case("training", "train", "cpu", "float32", (("arm", "rope"),)),
    "ok",
    findings={"loss": 1.2, "losses": [1.2, 1.3]},
    costs={"setup": 0.5, "training": 40.0},
)
JUNIT = xmlschema.XMLSchema(Path(__file__).with_name("junit-10.xsd"))


def run_of(measurements: list[Measurement], **head: Any) -> Run:
    return Run(Path("results/attention/example"), {**header(), **head}, HERE, tuple(measurements))


def loads(text: str) -> Any:
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def cases_of(document: str) -> dict[str, ElementTree.Element]:
    tests = list(ElementTree.fromstring(document).iter("testcase"))
    found = {f"{test.attrib['classname']} {test.attrib['name']}": test for test in tests}
    assert len(found) == len(tests)
    return found
