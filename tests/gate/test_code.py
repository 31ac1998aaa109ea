"""Which files a kernel is made of on either side, what is said of them, and whether they were edited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tbench.errors import UsageError
from tbench.execution.executor import WorkerFailed
from tbench.gate.code import ENGINE, Origin, Sources, edited, find_origins, fingerprints, kernel_of, notes_on_code
from tbench.records import Sampling
from tbench.scenario import expand
from tests.gate.fakes import SCENARIO, FakeSide, sides_of
from tests.synthetic import attention


def touched(*paths: Path) -> tuple[Path, ...]:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tuple(path.resolve() for path in paths)


def test_installed_packages_the_engine_and_strangers_are_not_the_repositorys(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "theirs", tmp_path / "elsewhere"
    own, nested, *others = touched(
        root / "kernels.py",
        root / "src" / "ours" / "a.py",
        root / ".venv" / "lib" / "site-packages" / "torch.py",
        root / "python" / "lib" / "os.py",
        elsewhere / "helper.py",
    )
    found = Sources(own, (own, nested, *others, ENGINE / "errors.py"), libraries=((root / "python" / "lib").resolve(),))
    assert found.of(root) == [own, nested]


def test_a_library_folder_around_the_repository_hides_nothing(tmp_path: Path) -> None:
    root = tmp_path / "usr" / "src" / "theirs"
    (own,) = touched(root / "kernels.py")
    assert Sources(own, (own,), libraries=((tmp_path / "usr").resolve(),)).of(root) == [own]


MINE, FLASH = attention("./kernels.py:attend"), attention("flash")


def origin(folder: Path) -> Origin:
    named, helper = folder / "kernels.py", folder / "helper.py"
    for file in (named, helper):
        file.write_text("old")
    return Origin(kernel_of(MINE), Sources(), Sources(named, (named, helper)), named)


@pytest.mark.parametrize("name", ["kernels.py", "helper.py"])
def test_a_file_that_was_edited_is_named_for_its_own_cases_only(tmp_path: Path, name: str) -> None:
    found = [origin(tmp_path)]
    before = fingerprints(found, tmp_path)
    assert edited([MINE, FLASH], found, tmp_path, before) == {}
    (tmp_path / name).write_text("new")
    assert edited([MINE, FLASH], found, tmp_path, before) == {MINE.id: tmp_path / name}


def test_a_file_that_is_gone_was_edited(tmp_path: Path) -> None:
    found = [origin(tmp_path)]
    before = fingerprints(found, tmp_path)
    (tmp_path / "helper.py").unlink()
    assert edited([MINE], found, tmp_path, before) == {MINE.id: tmp_path / "helper.py"}


# ---------------------------------------------------------------------- what is said of the two sides' code

OWN = SCENARIO.replace("[naive, flash]", '["ours:attend"]')


def sources(named: Path, *imported: Path) -> dict[str, Any]:
    """What a side's worker says of its kernel."""
    return {"sources_of": (str(named), [str(one) for one in (named, *imported)], [])}


def notes(folder: Path, base: dict[str, Any], new: dict[str, Any], *, one_python: bool = True) -> list[str]:
    (folder / "new").mkdir(exist_ok=True)
    (folder / "new" / "ours.py").write_text("def attend(q, k, v, causal=False): ...\n")
    (folder / "base").mkdir(exist_ok=True)
    (folder / "base" / "ours.py").write_text("def attend(q, k, v, causal=False): ...\n")
    both = sides_of(folder, FakeSide(answers=base), FakeSide(answers=new), base_text=OWN, new_text=OWN)
    both = replace(both, one_python=one_python)
    cases = expand(both.new.scenario, "cpu")
    origins = find_origins(both, cases, [], dict.fromkeys(cases, Sampling()))
    return list(notes_on_code(both, cases, origins))


def test_kernels_that_come_with_tbench_cannot_differ(tmp_path: Path) -> None:
    both = sides_of(tmp_path, FakeSide(), FakeSide())
    (note,) = notes_on_code(both, expand(both.new.scenario, "cpu"), [])
    assert note == "the same code on both sides, so only the machine's noise can differ: flash, naive"


def test_a_kernel_of_each_checkout_needs_no_word(tmp_path: Path) -> None:
    base, new = tmp_path / "base" / "ours.py", tmp_path / "new" / "ours.py"
    assert notes(tmp_path, sources(base), sources(new)) == []


def test_a_module_that_both_take_from_one_place_is_the_same(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.py"
    (note,) = notes(tmp_path, sources(elsewhere), sources(elsewhere), one_python=False)
    assert note.endswith(f"only the machine's noise can differ: ours:attend ({elsewhere})")


def test_a_base_that_would_measure_the_working_tree_is_refused(tmp_path: Path) -> None:
    base, new = tmp_path / "base" / "ours.py", tmp_path / "new" / "ours.py"
    with pytest.raises(UsageError, match=r"the base would load the working tree's .*new/ours\.py"):
        notes(tmp_path, sources(base, new), sources(new))


def test_where_the_base_does_not_load_nothing_is_known_of_its_code(tmp_path: Path) -> None:
    failing = {"sources_of": WorkerFailed("error", "no module named ours")}
    (note,) = notes(tmp_path, failing, sources(tmp_path / "new" / "ours.py"))
    assert note == (
        "ours:attend: could not verify that the base loads it from its own checkout: it failed to load there "
        "(no module named ours)"
    )
