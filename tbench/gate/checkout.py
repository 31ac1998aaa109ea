"""A second checkout of a repository beside the working tree, or a copy of it, for the time of a comparison."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tbench.errors import UsageError

SHOWN = 5
PREFIX = "tbench-base-"  # of the folder that a worktree lies in
LONGER = f"{PREFIX}beside-the-other-"  # of a second one, whose path shall have another length
COPY, LONGER_COPY = "tbench-copy-", "tbench-copy-beside-the-other-"
MOST_COPIED = 512 * 2**20
NOT_COPIED = ("results", "__pycache__", "node_modules", "venv")  # nor hidden ones
GIT_SECONDS = 60.0  # a checkout of a large repository takes a few
NO_HOOKS = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
OWNER = "owner"  # a file in it, locked for as long as it is in use
OF_A_HOOK = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX")  # git sets them; they win over the folder


@dataclass(frozen=True)
class Repository:
    """A git repository, by the top folder of its working tree."""

    root: Path

    @staticmethod
    def around(path: Path) -> Repository:
        """The repository that holds `path`. Raises UsageError."""
        found = git(path if path.is_dir() else path.parent, "rev-parse", "--show-toplevel")
        if found is None and any((above / ".git").exists() for above in (path, *path.parents)):
            raise UsageError(f"git refuses the repository at {path}: {refusal(path)}")
        if found is None:
            raise UsageError(
                f"{path} is not in a git repository, so there is nothing to compare with: use --baseline, or "
                "--base-env for another Python"
            )
        return Repository(Path(found))

    def commit(self, reference: str) -> str:
        """The full hash of a branch, tag or commit. Raises UsageError."""
        asked = ("rev-parse", "--verify", "--end-of-options", f"{reference}^{{commit}}")
        found = git(self.root, *asked) if reference else None
        if found is None:
            shallow = git(self.root, "rev-parse", "--is-shallow-repository") == "true"
            why = (
                "this clone is shallow; fetch the history (actions/checkout: `fetch-depth: 0`, GitLab: `GIT_DEPTH: 0`)"
                if shallow
                else "unknown revision; fetch it, or name a branch, tag or commit (`git branch -a` shows them)"
            )
            raise UsageError(f"--against {reference}: {why}")
        return found

    def name(self, commit: str) -> str:
        """A commit as it is told: short hash and subject."""
        return git(self.root, "log", "-1", "--format=%h %s", commit) or commit[:12]

    def changes(self, besides: Sequence[Path]) -> list[str]:
        """Paths in the working tree that are not as in its commit, without those below the folders `besides`."""
        status = git(self.root, "status", "--porcelain", "--no-renames", "--untracked-files=all") or ""
        paths = [line[3:].strip('"') for line in status.splitlines() if "__pycache__" not in line]
        return [path for path in paths if not any(within(self.root / path, folder) for folder in besides)]

    def files(self) -> list[Path]:
        """What the working tree holds as it is, without what git ignores: from the root on."""
        listed = git(self.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard") or ""
        return [Path(one) for one in dict.fromkeys(listed.split("\0")) if one and (self.root / one).is_file()]

    @contextmanager
    def at(self, commit: str, prefix: str = PREFIX) -> Iterator[Path]:
        """A worktree of a commit, in a folder of its own that is removed afterwards. Raises UsageError."""
        self.prune()
        with tempfile.TemporaryDirectory(prefix=prefix) as above, owned(Path(above)):
            folder = Path(above).resolve() / self.root.name
            try:
                self._check_out(folder, commit)
                yield folder
            finally:
                self._remove(folder)

    def _check_out(self, folder: Path, commit: str) -> None:
        """Fill a worktree, without the repository's hooks; without its filters too where those fail or hang."""
        words = ("worktree", "add", "--detach", "--quiet", str(folder), commit)
        first = ran(self.root, *words)
        if not first.returncode:
            return
        filters = self.filters()
        if filters:
            self._remove(folder)
            if not (second := ran(self.root, *without(filters), *words)).returncode:
                print(
                    f"warning: {commit[:12]} was checked out without the filters {', '.join(filters)}, so files stored "
                    f"through them are as git keeps them: {last(first.stderr)}",
                    file=sys.stderr,
                )
                return
            first = second
        raise UsageError(f"git could not check out {commit[:12]} beside the working tree: {last(first.stderr)}")

    def _remove(self, folder: Path) -> None:
        """Folder and registration of a worktree, however far it came."""
        git(self.root, "worktree", "remove", "--force", "--force", str(folder))  # one that was not filled is locked
        shutil.rmtree(folder, ignore_errors=True)
        git(self.root, "worktree", "prune", "--expire=now")

    def filters(self) -> list[str]:
        """The filters that files are checked out through (`git lfs` is one)."""
        found = git(self.root, "config", "--name-only", "--get-regexp", r"^filter\..*\.(smudge|process)$") or ""
        return list(dict.fromkeys(line.partition(".")[2].rpartition(".")[0] for line in found.splitlines()))

    def prune(self) -> None:
        """Remove the worktrees of gates that were killed before they could."""
        listed = git(self.root, "worktree", "list", "--porcelain") or ""
        for line in listed.splitlines():
            kind, _, path = line.partition(" ")
            above = Path(path).parent
            if kind == "worktree" and above.name.startswith(PREFIX) and abandoned(above):
                git(self.root, "worktree", "remove", "--force", path)
                shutil.rmtree(above, ignore_errors=True)


@contextmanager
def copied(root: Path, files: Sequence[Path], prefix: str = COPY) -> Iterator[Path]:
    """A copy of these files below `root`, in a folder of its own that is removed afterwards. Raises UsageError."""
    if sum((root / file).lstat().st_size for file in files) > MOST_COPIED:
        raise UsageError(
            f"{root} holds more than {MOST_COPIED // 2**20} MiB, too much to copy for each side: commit it to a git "
            "repository, or move the scenario and its kernels to a separate folder"
        )
    for left in Path(tempfile.gettempdir()).glob(f"{COPY}*"):
        if abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix) as above, owned(Path(above)):
        folder = Path(above).resolve() / (root.name or "root")
        (folder / ".git").mkdir(parents=True)  # its modules are looked for here, as in a repository, and not above
        try:
            for file in files:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / file, folder / file)
        except OSError as problem:
            raise UsageError(f"{root}: could not be copied to {folder}: {problem.strerror}") from problem
        yield folder


def files_below(folder: Path) -> list[Path]:
    """Every file of a folder that is in no repository, but for results, environments and hidden ones."""
    found = []
    for above, folders, names in os.walk(folder):
        here = Path(above)
        folders[:] = [one for one in folders if one[0] != "." and one not in NOT_COPIED and not is_venv(here / one)]
        found += [(here / name).relative_to(folder) for name in names if name[0] != "."]
    return found


def is_venv(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").exists()


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Hold a lock in the folder, which the system releases however this process ends; another may have its number."""
    handle = os.open(folder / OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def abandoned(folder: Path) -> bool:
    """Whether nobody holds the folder any more: it is gone, or its owner is."""
    try:
        handle = os.open(folder / OWNER, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return not folder.exists()  # what has no such file may be in use
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def git(folder: Path, *arguments: str) -> str | None:
    """What git says, or None where it refuses. Raises UsageError where there is no git."""
    done = ran(folder, "-c", "core.quotepath=off", *arguments)
    return done.stdout.rstrip("\n") if done.returncode == 0 else None


def without(filters: Sequence[str]) -> list[str]:
    """Options of git that turn filters off."""
    kinds = ("smudge=", "clean=", "process=", "required=false")
    return [word for name in filters for kind in kinds for word in ("-c", f"filter.{name}.{kind}")]


def ran(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A git command in the repository around `folder`, also in a hook of another one. Raises UsageError without git.

    The repository's hooks do not run. What does not end in time (a filter that hangs) is killed, with its children.
    """
    environment = {name: value for name, value in os.environ.items() if name not in OF_A_HOOK}
    words = ["git", "-C", str(folder), *NO_HOOKS, *arguments]
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise UsageError("git is not installed, so nothing can be compared with a reference; use --baseline") from None
    with process:
        try:
            out, err = process.communicate(timeout=GIT_SECONDS)
        except BaseException as ending:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(ending, subprocess.TimeoutExpired):
                raise
            process.communicate()
            out, err = "", f"git did not end within {GIT_SECONDS:g} s"
            return subprocess.CompletedProcess(words, 124, out, err)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def from_root(path: str) -> str:
    """A file's path from the root of its repository on, as annotations want it; as it is where there is none."""
    file = Path(path).resolve()
    with suppress(UsageError, ValueError):
        root = git(file.parent, "rev-parse", "--show-toplevel")
        return path if root is None else str(file.relative_to(root))
    return path


def refusal(path: Path) -> str:
    """What git says of a folder it will not work in (a container's user who is not the owner)."""
    done = ran(path if path.is_dir() else path.parent, "status")
    return " ".join(done.stderr.split()) or "no reason given"


def within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


def shortened(paths: list[str]) -> str:
    """`a, b and 3 more`."""
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more
