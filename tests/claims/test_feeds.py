"""Nothing is timed for the table that no claim asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tbench.catalog import get
from tbench.claims.loader import article
from tbench.claims.model import Regime
from tbench.claims.selection import CONDITIONS, key, matches
from tbench.model.ladder import DESIGNS
from tbench.records import Case
from tbench.scenario import expand, load

DOCUMENT = Path(__file__).parents[2] / "scenarios" / "document.yaml"


def asked_for(regime: Regime, cases: Sequence[Case]) -> Iterator[Case]:
    """The cases that an observation of `regime` would be made of."""
    usual = [case for case in cases if all(name in regime.tested or case.get(name) is None for name in CONDITIONS)]
    tested = [case for case in usual if matches(regime.tested, case)]
    if regime.measure == "slope":
        assert regime.along is not None
        groups: dict[object, list[Case]] = {}
        for case in tested:
            groups.setdefault(key(case, (regime.along,)), []).append(case)
        for group in groups.values():
            yield from group if len(group) > 1 else ()
    elif not regime.against:
        yield from tested
    else:
        without = (*regime.against, *regime.free, *regime.replicates)
        compared = {key(case, without) for case in tested if not matches(regime.against, case)}
        baselines = [case for case in cases if matches(regime.against, case) and key(case, without) in compared]
        there = {key(case, without) for case in baselines}
        yield from baselines
        yield from (case for case in tested if key(case, without) in there)


def rung(case: Case) -> bool:
    """A step from 2017 to 2024: the ladder below the table is made of all of them."""
    return case.component == "block" and case["design"] in DESIGNS and not str(case["design"]).startswith("-")


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
@pytest.mark.parametrize("quick", [False, True], ids=["full", "quick"])
def test_every_timed_case_of_the_document_is_asked_for_by_a_claim(quick: bool, device: str) -> None:
    cases = [case for case in expand(load(DOCUMENT, quick=quick), device) if not get(case.component).experiment]
    regimes = [regime for claim in article().claims for regime in claim.regimes]
    asked = {case for regime in regimes for case in asked_for(regime, cases)}
    assert len(cases) > 30
    assert [case.id for case in cases if case not in asked and not rung(case)] == []
