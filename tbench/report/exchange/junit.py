"""JUnit XML: a case is a test, and its status says how the test ended. For whatever shows test results in CI.

Source: the schema of Jenkins' xunit plugin, junit-10.xsd, which pytest checks its own files against.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as XML

from tbench.analysis.derive import Row
from tbench.analysis.run import Run
from tbench.analysis.turns import sampled_seconds
from tbench.records import Status
from tbench.report import facts
from tbench.tables import units

Outcome = Literal["passed", "failed", "error", "skipped"]

ELEMENTS: Mapping[Outcome, str] = {"failed": "failure", "error": "error", "skipped": "skipped"}
OUTCOMES: Mapping[Status, Outcome] = {
    "ok": "passed",
    "wrong": "failed",
    "error": "error",
    "timeout": "error",
    "unsupported": "skipped",
    "oom": "skipped",
}
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2


@dataclass(frozen=True)
class TestCase:
    """One test. `seconds`: how long it took, None if not known. `message`: why it did not pass, in a line.

    `details`: more of it; of a test that passed, what it printed. `kind`: of failure, a word (a case's status).
    """

    classname: str
    name: str
    seconds: float | None
    outcome: Outcome
    message: str = ""
    details: str = ""
    kind: str = ""


def render(run: Run) -> str:
    """Every case of the run: ok passes, wrong fails, error and timeout are errors, unsupported and oom skipped."""
    tests = [_test(row) for row in run.rows]
    return testsuite(f"tbench {facts.title(run)}", tests, dict(facts.environment(run)))


def testsuite(name: str, cases: Sequence[TestCase], properties: Mapping[str, str] | None = None) -> str:
    """The document of one suite. Characters that XML cannot hold become U+FFFD, unknown times are left out."""
    outcomes = [case.outcome for case in cases]
    known = [case.seconds for case in cases if case.seconds is not None]
    attributes = {
        "name": name,
        "tests": str(len(cases)),
        "failures": str(outcomes.count("failed")),
        "errors": str(outcomes.count("error")),
        "skipped": str(outcomes.count("skipped")),
    }
    if known:  # the schema ends at milliseconds here; rounded up, or a short time would be 0
        attributes["time"] = f"{math.ceil(1000 * sum(known)) / 1000:.3f}"
    root = XML.Element("testsuites")
    suite = _add(root, "testsuite", attributes)
    if properties:
        block = _add(suite, "properties")
        for label, value in properties.items():
            _add(block, "property", {"name": label, "value": value})
    for case in cases:
        _add_test(suite, case)
    XML.indent(root)
    document: bytes = XML.tostring(root, encoding="us-ascii", xml_declaration=True)
    return document.decode("ascii") + "\n"


def _add_test(suite: XML.Element, case: TestCase) -> None:
    attributes = {"classname": case.classname, "name": case.name}
    if case.seconds is not None:
        attributes["time"] = f"{case.seconds:.9f}"
    test = _add(suite, "testcase", attributes)
    if case.outcome == "passed":
        if case.details:
            _add(test, "system-out", text=case.details)
        return
    why = {"message": case.message, "type": case.kind}
    _add(test, ELEMENTS[case.outcome], {name: value for name, value in why.items() if value}, case.details)


def _add(parent: XML.Element, tag: str, attributes: Mapping[str, str] | None = None, text: str = "") -> XML.Element:
    clean = {name: NOT_XML.sub("\ufffd", value) for name, value in (attributes or {}).items()}
    element = XML.SubElement(parent, tag, clean)
    element.text = NOT_XML.sub("\ufffd", text) or None
    return element


def _test(row: Row) -> TestCase:
    case, reasons = row.measurement.case, [reason.text for reason in row.reasons]
    kind, _, rest = case.id.partition(" ")
    if row.status == "ok":
        return TestCase(kind, rest, _seconds(row), "passed", details="\n".join((*_figures(row), *reasons)))
    return TestCase(
        kind, rest, _seconds(row), OUTCOMES[row.status], reasons[0], details="\n".join(reasons), kind=row.status
    )


def _seconds(row: Row) -> float | None:
    """All that was spent on the case, samples and what is beside them; None where nothing was recorded."""
    parts = (sampled_seconds(row.measurement.turns), *row.measurement.costs.values())
    return sum(parts) if any(parts) else None


def _figures(row: Row) -> Iterator[str]:
    latency, speedup = row.printed_latency, row.printed_speedup
    if latency is not None:
        yield f"latency {units.duration(latency)} {units.plus_minus(latency.relative_half_width)}".rstrip()
    if speedup is not None and row.measurement.baseline != row.measurement.case.id:
        yield f"speed-up {units.times(speedup)}"
    if row.peak_memory_bytes is not None:
        yield f"peak memory {units.size(row.peak_memory_bytes)}"
