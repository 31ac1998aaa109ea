"""References, worktrees and dirty trees, on repositories made for the test."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from tbench.components.own import roots
from tbench.errors import UsageError
from tbench.gate import checkout
from tbench.gate.checkout import COPY, MOST_COPIED, OWNER, PREFIX, Repository, copied, files_below, shortened
from tbench.gate.sides import check_out_twice


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "a.txt").write_text("old\n")
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "first")
    (folder / "a.txt").write_text("new\n")
    git(folder, "commit", "--quiet", "-am", "second")
    return folder


def test_a_worktree_holds_the_reference_and_goes_away(repository: Path) -> None:
    here = Repository.around(repository / "a.txt")
    with here.at(here.commit("HEAD~1")) as tree:
        assert (tree / "a.txt").read_text() == "old\n"
        assert tree.name == "mine"
        assert (repository / "a.txt").read_text() == "new\n"
    assert not tree.exists()
    assert git(repository, "worktree", "list").count("\n") == 0
    assert here.name(here.commit("HEAD~1")).endswith("first")


def test_the_worktree_goes_away_after_an_error_too(repository: Path) -> None:
    here = Repository.around(repository)
    with pytest.raises(KeyboardInterrupt), here.at(here.commit("main")):
        raise KeyboardInterrupt
    assert git(repository, "worktree", "list").count("\n") == 0


def test_hooks_of_the_repository_do_not_run(repository: Path) -> None:
    hook = repository / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    here = Repository.around(repository)
    with here.at(here.commit("HEAD~1")) as tree:
        assert (tree / "a.txt").read_text() == "old\n"
    assert git(repository, "worktree", "list").count("\n") == 0


@pytest.mark.parametrize("smudge", ["false", "sleep 600"])
def test_a_filter_that_fails_or_hangs_is_done_without(
    repository: Path, smudge: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / ".gitattributes").write_text("*.txt filter=odd\n")
    git(repository, "add", "-A")
    git(repository, "commit", "--quiet", "-m", "a filter")
    git(repository, "config", "filter.odd.smudge", smudge)
    git(repository, "config", "filter.odd.required", "true")
    monkeypatch.setattr(checkout, "GIT_SECONDS", 1.0)
    here = Repository.around(repository)
    with here.at(here.commit("HEAD")) as tree:
        assert (tree / "a.txt").read_text() == "new\n"
    assert "without the filters odd" in capsys.readouterr().err
    assert git(repository, "worktree", "list").count("\n") == 0


def test_a_checkout_that_cannot_be_made_leaves_no_worktree(repository: Path) -> None:
    here = Repository.around(repository)
    with pytest.raises(UsageError, match="could not check out"), here.at("0" * 40):
        pass
    assert git(repository, "worktree", "list").count("\n") == 0


def test_a_worktree_that_a_killed_gate_left_is_removed_and_one_in_use_is_not(repository: Path) -> None:
    here = Repository.around(repository)
    left = Path(tempfile.mkdtemp(prefix=PREFIX))
    (left / OWNER).touch()  # nobody holds it
    git(repository, "worktree", "add", "--detach", "--quiet", str(left / "mine"), "HEAD")
    with here.at(here.commit("HEAD")) as tree:
        assert not left.exists()
        here.prune()
        assert tree.exists()
    assert git(repository, "worktree", "list").count("\n") == 0


def test_a_hook_of_another_repository_does_not_lead_astray(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    here = Repository.around(repository)
    assert here.name(here.commit("HEAD")).endswith("second")


@pytest.mark.parametrize("reference", ["nowhere", "--upload-pack=x", "HEAD~9", ""])
def test_an_unknown_reference_says_what_to_do(repository: Path, reference: str) -> None:
    with pytest.raises(UsageError, match="fetch it"):
        Repository.around(repository).commit(reference)


def test_a_shallow_clone_is_told_how_to_get_deeper(repository: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{repository}", str(shallow)], check=True)
    with pytest.raises(UsageError, match="fetch-depth: 0"):
        Repository.around(shallow).commit("HEAD~1")


def test_a_folder_without_a_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not in a git repository"):
        Repository.around(tmp_path)


def test_changes_are_named_but_not_the_gates_own(repository: Path) -> None:
    here = Repository.around(repository)
    own = repository / "results" / "gate" / "x"
    assert here.changes([own]) == []
    own.mkdir(parents=True)
    (own / "gate.json").write_text("{}")
    (repository / "a.txt").write_text("dirty\n")
    (repository / "b.txt").write_text("untracked\n")
    assert sorted(here.changes([own])) == ["a.txt", "b.txt"]


def test_long_lists_are_cut() -> None:
    assert shortened(list("abcdefg")) == "a, b, c, d, e and 2 more"


def asked_for(folder: Path, stack: ExitStack) -> tuple[str, Path, tuple[Path, Path]]:
    return check_out_twice(folder / "perf" / "scenario.yaml", folder / "out", stack)


@pytest.fixture
def measured(repository: Path) -> Path:
    """The same with a scenario in a folder of its own, committed, and a result that is not."""
    (repository / "perf").mkdir()
    (repository / "perf" / "scenario.yaml").write_text("version: 1\n")
    (repository / ".gitignore").write_text("secret.txt\n")
    git(repository, "add", "-A")
    git(repository, "commit", "--quiet", "-m", "a scenario")
    (repository / "out").mkdir()
    (repository / "out" / "trials.json").write_text("{}")
    (repository / "secret.txt").write_text("not for copies\n")
    return repository


def test_a_commit_is_checked_out_twice_at_paths_of_different_length(measured: Path) -> None:
    with ExitStack() as stack:
        label, root, trees = asked_for(measured, stack)
        assert label.startswith("two worktrees of ")
        assert label.endswith("a scenario")
        assert root == measured
        assert len(str(trees[0])) != len(str(trees[1]))
        for tree in trees:
            assert (tree / "perf" / "scenario.yaml").exists()
            assert not (tree / "out").exists()
            assert tree.name == "mine"
        with Repository.around(measured).at("HEAD"):  # a gate that starts meanwhile leaves both alone
            assert all(tree.exists() for tree in trees)
    assert not any(tree.parent.exists() for tree in trees)
    assert git(measured, "worktree", "list").count("\n") == 0


def test_what_is_not_committed_is_copied_twice_as_it_is(measured: Path) -> None:
    (measured / "a.txt").write_text("dirty\n")
    (measured / "b.txt").write_text("untracked\n")
    with ExitStack() as stack:
        label, _, trees = asked_for(measured, stack)
        assert "two copies of the working tree" in label
        assert "a.txt" in label
        for tree in trees:
            assert (tree / "a.txt").read_text() == "dirty\n"
            assert (tree / "b.txt").exists()
            assert (tree / "perf" / "scenario.yaml").exists()
            assert not (tree / "secret.txt").exists()
            assert roots(tree / "perf") == [tree]
        assert len(str(trees[0])) != len(str(trees[1]))
    assert not any(tree.parent.exists() for tree in trees)


def test_a_scenario_that_git_ignores_is_copied_too(measured: Path) -> None:
    with ExitStack() as stack:
        label, _, trees = check_out_twice(measured / "secret.txt", measured / "out", stack)
        assert "two copies" in label
        assert all((tree / "secret.txt").exists() for tree in trees)


def test_without_a_repository_the_scenarios_folder_is_copied_twice(tmp_path: Path) -> None:
    for name in ("perf/scenario.yaml", "perf/deep/kernels.py", "perf/results/x.json", "perf/.hidden/y", "perf/venv/z"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    with ExitStack() as stack:
        label, root, trees = asked_for(tmp_path, stack)
        assert "which has no commit" in label
        assert root == tmp_path / "perf"
        for tree in trees:
            copied = sorted(str(one.relative_to(tree)) for one in tree.rglob("*") if one.is_file())
            assert copied == ["deep/kernels.py", "scenario.yaml"]


def test_copies_go_away_when_interrupted_and_those_a_killed_run_left_later(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    left = Path(tempfile.mkdtemp(prefix=COPY))
    (left / OWNER).touch()  # nobody holds it
    kept: list[Path] = []
    with pytest.raises(KeyboardInterrupt), copied(tmp_path, [Path("a.txt")]) as tree:
        kept.append(tree)
        assert not left.exists()
        with copied(tmp_path, [Path("a.txt")]):
            assert tree.exists()
        raise KeyboardInterrupt
    assert not kept[0].parent.exists()


def test_a_folder_that_holds_everything_is_not_copied(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(MOST_COPIED + 1)
    with pytest.raises(UsageError, match="to a separate folder"), copied(tmp_path, files_below(tmp_path)):
        pass
