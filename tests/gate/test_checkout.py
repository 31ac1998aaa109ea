"""References, worktrees and dirty trees, on repositories made for the test."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from tbench.errors import UsageError
from tbench.gate.checkout import OWNER, PREFIX, Repository, shortened


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
    with pytest.raises(UsageError, match="no git repository"):
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
