"""JUnit XML: every case with its status, valid by the schema that other readers check with, whatever the text."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbench.analysis.run import Run
from tbench.report.exchange import (  # not its names: pytest would take them for tests
    exporter,
    junit,
)
from tests.report.exported import EXPERIMENT, JUNIT, cases_of, loads, run_of
from tests.synthetic import ENVIRONMENT, attention, failed, ok, turns


def test_junit_holds_every_case_with_its_status(every: Run) -> None:
    document = exporter("junit")(every)
    JUNIT.validate(document)
    suite = ElementTree.fromstring(document).find("testsuite")
    assert suite is not None
    assert suite.attrib["name"] == "tbench Naive and flash attention"
    assert [suite.attrib[name] for name in ("tests", "failures", "errors", "skipped")] == ["12", "1", "2", "2"]
    tests = cases_of(document)
    assert list(tests) == [one.case.id for one in every.measurements]
    endings = {"failed": "failure", "error": "error", "skipped": "skipped"}
    for row in every.rows:
        test = tests[row.measurement.case.id]
        ending = endings.get(junit.OUTCOMES[row.status])
        assert [child.tag for child in test] == ([ending] if ending else ["system-out"] if row.latency else [])
        if ending:
            assert test[0].attrib == {"message": row.measurement.reason, "type": row.status}
            assert "time" not in test.attrib  # nothing is known of it


def test_junit_tells_how_long_a_case_took_and_what_came_out(every: Run) -> None:
    tests = cases_of(exporter("junit")(every))
    first = tests[attention("flash").id]
    taken = sum(sum(turn.seconds) for turn in every.measurements[1].turns)
    assert float(first.attrib["time"]) == pytest.approx(taken, abs=1e-9)
    assert (first[0].text or "").startswith("latency 6.") and "peak memory 8.00 MiB" in (first[0].text or "")
    assert "speed-up" in (first[0].text or "") and "speed-up" not in (tests[attention("naive").id][0].text or "")
    assert float(tests[EXPERIMENT.case.id].attrib["time"]) == 40.5
    assert not list(tests[EXPERIMENT.case.id])


def test_junit_knows_the_time_of_a_case_that_failed_late() -> None:
    late = failed(attention("flex"), "wrong", "wrong after timing", turns=turns(1e-3, 1), costs={"setup": 2.0})
    (test,) = cases_of(exporter("junit")(run_of([late]))).values()
    assert float(test.attrib["time"]) == pytest.approx(2.08, rel=0.01)


def test_what_is_faster_than_the_ceilings_passes_and_says_so() -> None:
    run = replace(run_of([ok(attention("flash", 4096), 1e-9, 1)]), environment=ENVIRONMENT)
    (test,) = cases_of(exporter("junit")(run)).values()
    assert test[0].tag == "system-out" and "where the measured peak is" in (test[0].text or "")
    assert len(loads(exporter("bmf")(run))) == 1


def test_a_suite_can_be_made_of_anything() -> None:
    document = junit.testsuite(
        "gate",
        [
            junit.TestCase("attention/forward", "kernel=a", 1.25, "passed", "OK", "ratio 1.01"),
            junit.TestCase("attention/forward", "kernel=b", None, "failed", "SLOWER: 20% slower"),
            junit.TestCase("attention/forward", "kernel=c", 1e-7, "skipped", "INCONCLUSIVE", "18 pairs"),
            junit.TestCase("attention/forward", "kernel=d", None, "error", "BROKEN: crashed", "signal 11", "BROKEN"),
        ],
    )
    JUNIT.validate(document)
    passed, slower, open_, broken = cases_of(document).values()
    assert passed[0].text == "ratio 1.01" and float(passed.attrib["time"]) == 1.25
    assert slower[0].tag == "failure" and slower[0].attrib == {"message": "SLOWER: 20% slower"}
    assert "time" not in slower.attrib
    assert open_[0].tag == "skipped" and open_[0].text == "18 pairs" and float(open_.attrib["time"]) == 1e-7
    assert broken[0].tag == "error" and broken[0].attrib["type"] == "BROKEN"
    suite = ElementTree.fromstring(document)[0]
    assert suite.attrib["time"] == "1.251"  # rounded up, not to 0
    assert "time" not in ElementTree.fromstring(junit.testsuite("none", []))[0].attrib
    JUNIT.validate(junit.testsuite("none", []))


def test_a_suite_names_its_properties() -> None:
    document = junit.testsuite("x", [], {"device": 'cpu <&> "x"', "torch": "2.13.0"})
    JUNIT.validate(document)
    found = {one.attrib["name"]: one.attrib["value"] for one in ElementTree.fromstring(document).iter("property")}
    assert found == {"device": 'cpu <&> "x"', "torch": "2.13.0"}


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_no_text_breaks_the_xml(text: str) -> None:
    document = junit.testsuite(
        text, [junit.TestCase(text, text, 1.0, "failed", text, text), junit.TestCase("a", text, None, "passed")]
    )
    JUNIT.validate(document)
    assert document.isascii()


@pytest.mark.parametrize("odd", ["\x1b[31mred\x1b[0m", "\x00", "\ufffe", "\ud800"])
def test_characters_that_xml_cannot_hold_are_replaced(odd: str) -> None:
    run = run_of([failed(attention("flex"), "error", f"died: {odd} × € 😀 <&]]>\nsecond line")])
    (test,) = cases_of(exporter("junit")(run)).values()
    message = test[0].attrib["message"]
    assert "\ufffd" in message and message.endswith(" × € 😀 <&]]>\nsecond line") and message == test[0].text
