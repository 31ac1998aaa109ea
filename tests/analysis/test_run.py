"""The command that repeats a run, whatever way the first was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from tbench.analysis.run import FOLDER, RESUME, Run, by_part, repeated
from tbench.cli.app import app
from tbench.report import facts
from tests.synthetic import ENVIRONMENT

VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
SAVE = VERBS["baseline"].commands["save"]


def run_of(*words: str) -> Run:
    return Run(Path("results/x"), {"command": list(words)}, ENVIRONMENT, ())


def parsed(words: list[str]) -> dict[str, Any]:
    """What `tbench run` makes of a recorded command."""
    verb, *arguments = words
    assert verb == "run"
    values: dict[str, Any] = VERBS["run"].make_context("run", arguments).params
    return values


def spellings(command: Any, parameter: str) -> set[str]:
    return {name for one in command.params if one.name == parameter for name in one.opts}


def test_the_names_are_those_of_the_command_line() -> None:
    folders = [spellings(VERBS["run"], "output"), spellings(VERBS["gate"], "output"), spellings(SAVE, "name")]
    assert all(folders) and set().union(*folders) == set(FOLDER)
    assert spellings(VERBS["run"], "resume") == {RESUME}


@pytest.mark.parametrize(
    "folder", [["-o", "x"], ["-ox"], ["--output", "x"], ["--output=x"], ["--resume", "-o", "x"], ["--resume"]]
)
def test_every_spelling_of_the_folder_goes_and_nothing_else(folder: list[str]) -> None:
    rest = ["--set", "seq_len=512", "-k", "kernel=flash", "--seed", "3", "--quick"]
    first = ["run", "a.yaml", *folder, *rest]
    assert parsed(first)["output"] == ("x" if len(folder) > 1 or folder == ["-ox"] or "=" in folder[0] else None)
    assert repeated(first) == ["run", "a.yaml", *rest]
    assert parsed(repeated(first)) == parsed(first) | {"output": None, "resume": False}


def test_what_looks_like_an_option_behind_two_dashes_stays() -> None:
    assert repeated(["run", "--output=x", "--", "-odd.yaml", "--resume"]) == ["run", "--", "-odd.yaml", "--resume"]


def test_the_name_of_a_baseline_goes() -> None:
    assert run_of("baseline", "save", "a.yaml", "--name", "first").again() == ["baseline", "save", "a.yaml"]


def test_there_is_no_command_where_none_was_recorded_or_standard_input_is_gone() -> None:
    assert run_of().again() is None
    assert run_of("run", "-", "-o", "x").again() is None
    assert facts.command(run_of("run", "-")) is None
    assert facts.command(run_of("run", "a b.yaml", "--output=x")) == "tbench run 'a b.yaml'"


def test_cases_belong_to_parts_as_they_were_counted() -> None:
    counts = [("one", 1), ("two", 2), ("one", 1)]
    assert by_part(list("abcd"), counts) == {"a": "one", "b": "two", "c": "two", "d": "one"}
    assert by_part(list("abc"), {"one": 1, "two": 2}) == {"a": "one", "b": "two", "c": "two"}
    assert by_part(list("abcd"), {"one": 0, "two": 2}) == {}  # an older run, of a part that was listed twice
    with pytest.raises(ValueError, match="add up"):
        by_part(list("ab"), [("one", 3), ("two", -1)])
