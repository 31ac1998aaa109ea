"""The headline table: its width, its figures, its words, its conditions; on the committed runs and on made-up ones."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
from rich.cells import cell_len

from tbench.analysis.run import Run
from tbench.claims import article, assess, overview
from tbench.claims.assess import Assessment
from tbench.claims.ending import ending, left_open
from tbench.claims.figures import figure, written
from tbench.claims.formats import FORMATS
from tbench.claims.headline import (
    EVERYWHERE,
    OPEN,
    Headline,
    Word,
    _two_digits,
    _why_open,
    chosen,
    headlines,
    judging,
    word_of,
)
from tbench.claims.model import LANGUAGES, Language, Measure
from tbench.claims.verdict import Estimate, Judgement, Verdict
from tbench.claims.waterfall import blocks, chart
from tbench.cli import exit_code
from tests.claims.runs import pair, run_of

ROOT = Path(__file__).parents[2]
SUITES = [
    file.parent
    for place in ("cpu-2core", "gpu-h100")  # beside them lie the runs of whoever tests
    for file in sorted((ROOT / "results" / place).glob("*/run.json"))
    if (file.parent / "table.md").exists()
]
RUNS = pytest.mark.parametrize("folder", SUITES, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
DOCUMENT = ROOT / "results/cpu-2core/document"
LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)


@lru_cache
def assessed(folder: Path) -> tuple[Run, list[Assessment]]:
    run = Run.read(folder)
    return run, assess(article(), [run])


def lines_of(folder: Path, language: Language = "en") -> tuple[Headline, ...]:
    return headlines(article(), assessed(folder)[1], language)


@RUNS
@LANGUAGE
def test_the_table_fits_a_screen(folder: Path, language: Language) -> None:
    """100 columns, a wide character counted as two, with not one cell folded: a line for each promise, a heading, a
    rule, one or two lines above and the one below."""
    run, assessments = assessed(folder)
    printed = overview.text(article(), assessments, language, [run], 100).splitlines()
    assert max(map(cell_len, printed)) <= 100
    assert len(printed) <= (14 if run.header["status"] == "complete" else 15)
    rule = next(i for i, line in enumerate(printed) if line.startswith("───"))
    assert (
        len(printed) - rule - 2 == len(lines_of(folder, language)) == sum(len(row.promises) for row in article().rows)
    )


@RUNS
def test_figures_lie_inside_their_spans_and_come_from_the_observations(folder: Path) -> None:
    for one in lines_of(folder):
        if one.figure is None:
            assert one.measured == "—" and one.word is Word.OPEN
            continue
        value, low, high = one.figure.value, one.figure.low, one.figure.high
        assert low is None or high is None or low <= value <= high
        seen = set(raw(folder, one))
        if one.figure.spread == "span":
            assert low in seen and high in seen


def raw(folder: Path, one: Headline) -> list[float]:
    from tbench.claims.figures import read

    (assessment,) = [other for other in assessed(folder)[1] if other.claim.id == one.claim]
    return [
        read(one.measure, judged.observation.estimate.value)  # type: ignore[arg-type]
        for result in assessment.headline
        for judged in result.judged
        if result.regime.measure == one.measure
    ]


@RUNS
def test_the_word_is_implied_by_the_verdicts(folder: Path) -> None:
    """Written down once more, from the single verdicts."""
    known = {one.claim.id: one for one in assessed(folder)[1]}
    promises = [promise for row in article().rows for promise in row.promises]
    for promise, line in zip(promises, lines_of(folder), strict=True):
        regimes = judging(known[promise.claim], promise)
        verdicts = [[one.judgement.verdict for one in regime.judged] for regime in regimes]
        decided = [{one for one in regime if one not in OPEN} for regime in verdicts]
        every = set().union(*decided)
        failed = any(one.failed for regime in regimes for one in regime.missing)
        if line.word is Word.HOLDS:
            assert all(one == {Verdict.CONFIRMED} for one in decided) and not failed
        elif line.word is Word.PARTLY:
            assert every & {Verdict.CONFIRMED, Verdict.PARTLY}
        elif line.word is Word.FAILS:
            assert every and every <= {Verdict.REFUTED, Verdict.NO_EFFECT} and all(decided)
        else:
            assert not every or not all(decided)


def test_the_claims_own_point_decides() -> None:
    """A model trained at 2K works at 4K: at twice the length, whatever holds below."""
    (line,) = [one for one in lines_of(DOCUMENT) if one.claim == "C17"]
    assert line.word is Word.FAILS and line.figure is not None and line.figure.spread == "interval"
    assert line.when[0] == "not at 2×"


def test_one_claim_may_promise_two_things() -> None:
    speed, memory = [one for one in lines_of(DOCUMENT) if one.claim == "C3"]
    assert (speed.measure, memory.measure) == ("speedup", "memory_ratio")
    assert speed.word is Word.PARTLY and speed.when[0] == "window:256"
    assert memory.word is Word.FAILS and memory.when[0] == "except vs. naive"
    assert (speed.published, memory.published) == ("9.4×", "±0%")


@pytest.mark.parametrize(
    ("parameters", "en", "zh"), [(132_000, "0.13M", "13万"), (1e6, "1M", "100万"), (25.3e6, "25M", "2500万")]
)
def test_parameters_have_no_exponent(parameters: float, en: str, zh: str) -> None:
    assert f"{_two_digits(parameters / 1e6)}M" == en and f"{_two_digits(parameters / 1e4)}万" == zh


@RUNS
@LANGUAGE
def test_a_condition_does_not_contradict_its_word(folder: Path, language: Language) -> None:
    """Below `holds for`, a claim that fails names no place but as an exception, and at most one as the only one."""
    exceptions = r"^(except|but|not) |open$" if language == "en" else r"^除.*外$|除外$|^但|未定$|不成立"
    for one in lines_of(folder, language):
        assert sum(clause.startswith("except ") or clause.startswith("除") for clause in one.when) <= 1
        if one.word is Word.FAILS:
            assert all(re.search(exceptions, clause) for clause in one.when)
        if one.word is Word.OPEN:
            assert one.when and one.when[0] != EVERYWHERE[language]


def test_an_open_line_says_what_is_needed_and_an_unmet_guard_comes_first() -> None:
    run = run_of([one for n in (1024, 2048) for one in pair(n, 3e-3, 1e-3)])
    nine = next(one for one in assess(article(), [run]) if one.claim.id == "C9")
    (forward, *_) = nine.headline

    def told(more: int | None, guarded: bool = False) -> str:
        judgement = Judgement(Verdict.INCONCLUSIVE, more=more, guarded=guarded)
        return next(
            iter(_why_open([replace(forward, judged=(replace(forward.judged[0], judgement=judgement),))], "en"))
        )

    assert told(more=79) == "needs +79 rounds" and told(more=1) == "needs +1 round"
    assert told(more=79, guarded=True) == "guard not met"
    assert told(more=None) == "1 open"


@LANGUAGE
def test_without_a_measurement_every_line_is_open(language: Language) -> None:
    for one in headlines(article(), assess(article(), []), language):
        assert one.word is Word.OPEN and one.figure is None
        assert one.when == (("not measured",) if language == "en" else ("未测量",))


def test_a_regime_that_was_not_measured_keeps_the_word_from_holds() -> None:
    run = run_of([one for n in (1024, 2048) for one in pair(n, 3e-3, 1e-3)])
    nine = next(one for one in assess(article(), [run]) if one.claim.id == "C9")
    promise = next(promise for row in article().rows for promise in row.promises if promise.claim == "C9")
    assert word_of(judging(nine, promise)) is Word.PARTLY
    assert word_of(judging(nine, promise)[:1]) is Word.HOLDS


def test_open_points_do_not_count_where_others_are_decided() -> None:
    run = run_of([one for n in (1024, 2048) for one in pair(n, 3e-3, 1e-3)])
    nine = next(one for one in assess(article(), [run]) if one.claim.id == "C9")
    (forward, *_) = nine.headline
    undecided = replace(forward.judged[0].judgement, verdict=Verdict.INCONCLUSIVE)
    half = replace(forward, judged=(replace(forward.judged[0], judgement=undecided), *forward.judged[1:]))
    assert word_of([half]) is Word.HOLDS
    assert word_of([replace(half, judged=half.judged[:1])]) is Word.OPEN


def test_published_figures_are_those_read_in_their_source() -> None:
    for one in lines_of(DOCUMENT):
        claim = article().claim(one.claim)
        assert claim is not None
        allowed = {p.short for p in claim.published if p.mark == "V" and p.measure in (None, one.measure)}
        assert not one.published or one.published in allowed


@pytest.mark.parametrize(
    ("measure", "estimates", "shown"),
    [
        ("speedup", [Estimate(2.94, 2.71, 3.12, 5, "rounds")], "2.9× [2.7, 3.1]"),
        ("speedup", [Estimate.exactly(one) for one in (1.074, 2.94, 13.7)], "2.9× (1.07–14)"),
        ("speedup", [Estimate(13.2, 13.19, 13.21, 5, "rounds")], "13×"),
        ("speedup", [Estimate(3.0, None, None, 1, "rounds")], "3.0×"),
        ("memory_ratio", [Estimate.exactly(0.8)], "+25%"),
        ("memory_ratio", [Estimate.exactly(one) for one in (2, 4, 50)], "−75% (−98 to −50)"),
        ("saved", [Estimate.exactly(0.75)], "−75%"),
        ("share_difference", [Estimate(1.0, 0.71, 1.0, 16, "runs")], "−100 pp [−100, −71]"),
        ("loss_difference", [Estimate(0.08, 0.04, 0.11, 4, "seeds")], "−0.08 [−0.11, −0.04]"),
        ("extrapolation", [Estimate(5.34, 5.2, 5.49, 4, "seeds")], "PPL × 5.3 [5.2, 5.5]"),
        ("decades", [Estimate(2.0, 1.7, 2.2, 3, "seeds")], "LR × 100 [50, 158]"),
        ("effort", [Estimate(1.31, 1.2, 1.42, 3, "seeds")], "1.31× [1.20, 1.42]"),
        ("seed_ratio", [Estimate(math.inf, 1.4, math.inf, 6, "seeds")], "∞× [1.40, ∞]"),
        ("number", [Estimate.exactly(4.9e-7)], "4.9e-07"),
        ("number", [Estimate.exactly(24)], "24"),
    ],
)
def test_figures(measure: Measure, estimates: list[Estimate], shown: str) -> None:
    assert written(measure, figure(measure, estimates), "en") == shown


def test_a_truth_is_said() -> None:
    assert written("number", figure("number", [Estimate.whether(True)]), "zh", truth=True) == "是"


def test_every_format_has_the_same_lines() -> None:
    run, assessments = assessed(DOCUMENT)
    made = {name: make(article(), assessments, "en", [run]) for name, make in FORMATS.items()}
    rows = list(csv.DictReader(io.StringIO(made["csv"])))
    assert [row["claim"] for row in rows] == [one.claim for one in lines_of(DOCUMENT)]
    document = json.loads(made["json"])["headline"]
    for row, one, line in zip(rows, document, lines_of(DOCUMENT), strict=True):
        assert row["measured"] == one["measured"] == line.measured
        assert line.measured in made["text"] and line.measured in made["md"]
        assert line.figure is None or float(row["value"]) == one["value"] == line.figure.value
        assert row["verdict"] == one["verdict"] == line.word.value


@LANGUAGE
def test_a_suite_ends_on_one_screen(language: Language) -> None:
    run, assessments = assessed(DOCUMENT)
    printed = ending(article(), assessments, run, language, 100).splitlines()
    assert len(printed) <= 60
    assert sum("+pre-norm" in line for line in printed) == 1
    assert any("results/cpu-2core/document/report.md" in line for line in printed)
    undecided = list(left_open(article(), assessments, language))
    assert all(one.commands or "C17" in one.about or "C11" in one.about for one in undecided)  # trained in full
    (cold,) = [one for one in undecided if "C7" in one.about]
    assert ("no speed-up above what the bytes allow" if language == "en" else "加速不超过字节数之比") in cold.about
    commands = [command for one in undecided for command in one.commands]
    assert commands
    for command in commands[:1]:
        assert f"    {command}" in printed and command.startswith("tbench run ")


def test_a_quick_run_is_decided_in_full_and_a_full_one_rigorously() -> None:
    noisy = [replace(one, turns=one.turns[:4]) for one in pair(1024, 2.1e-3, 1e-3)]  # one round: no interval
    for words, option in ((("--quick",), ""), ((), "--rigorous")):
        run = run_of(noisy, *words)
        (found,) = [one for one in left_open(article(), assess(article(), [run]), "en") if "(C9)" in one.about]
        assert "2 open" in found.about and "not measured: prefill (best baseline), decode" in found.about
        assert "--quick" not in found.commands[0] and ("--rigorous" in found.commands[0]) == bool(option)


def test_the_ladder_is_one_chart_with_a_row_for_each_step() -> None:
    run, _ = assessed(DOCUMENT)
    table = chart([run], "en")
    assert table is not None
    assert [line[0].text for line in table.lines] == ["2017", "+pre-norm", "+rmsnorm", "+swiglu", "+gqa", "+rope",
                                                      "2024 (+flash)"]  # fmt: skip
    assert [column.name for column in table.columns[1:4]] == ["training step 2K", "prefill 2K", "decode 2K"]
    assert chart([], "en") is None


def test_bars_are_drawn_to_an_eighth() -> None:
    assert blocks(1.0, 8) == "████████" and blocks(0.5, 8) == "████    "
    assert blocks(1 / 64, 8).rstrip() == "▏" and blocks(0, 8) == " " * 8 and blocks(2, 4) == "████"


def test_a_row_can_be_explained_and_details_are_the_long_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["table", str(DOCUMENT), "--explain", "reads"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("C9  ") and "\nC10  " in out
    assert exit_code(["table", str(DOCUMENT), "--details"]) == 0
    assert "Every claim" in capsys.readouterr().out
    assert exit_code(["table", str(DOCUMENT), "--explain", "nothing"]) == 2
    assert "row (attention, kv, reads" in capsys.readouterr().err


def test_promises_name_a_measure_of_their_claim() -> None:
    for row in article().rows:
        assert row.promises and {one.claim for one in row.promises} == set(row.judged_by)
        for promise in row.promises:
            regimes = assess(article(), [])
            (assessment,) = [one for one in regimes if one.claim.id == promise.claim]
            assert chosen(assessment.headline, promise), promise
