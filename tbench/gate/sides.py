"""The two sides of a comparison: which code, which Python, and the workers that run it.

One engine measures both: the tbench that was started. Where both sides share a Python they share the server that
workers are forked from too, so that nothing differs between them but the code they load.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tbench.errors import Inconclusive, ScenarioError, UsageError
from tbench.execution.executor import At, Executor
from tbench.execution.local import LocalExecutor
from tbench.execution.runner import Machine, preloaded
from tbench.gate.checkout import LONGER, LONGER_COPY, Repository, copied, files_below, from_root, shortened
from tbench.records import Case, Environment
from tbench.scenario import Scenario, expand, load
from tbench.yamlfile.source import STDIN

RESULTS = Path("results")  # what tbench wrote is nobody's change


@dataclass(frozen=True)
class Asked:
    """What is to be compared, as it was asked for. `out`: the gate's own folder."""

    path: str
    out: Path
    against: str | None = None
    base_python: str | None = None
    new_python: str | None = None
    device: str = "auto"
    select: Sequence[str] = ()
    overrides: Sequence[str] = ()
    quick: bool = False
    rigorous: bool = False


@dataclass(frozen=True)
class Side:
    """`told`: what it is, in words. `executor`: workers that find this side's own kernels. `root`: of its checkout,
    where it is one of two."""

    told: str
    scenario: Scenario
    executor: Executor
    environment: Environment
    root: Path | None = None

    def cases(self, device: str, select: Sequence[str]) -> list[Case]:
        return expand(self.scenario, device, select)


@dataclass(frozen=True)
class Sides:
    base: Side
    new: Side
    device: str
    one_python: bool = True
    path: str = ""  # of the scenario, from the repository's root where there is one
    repository: Repository | None = None  # of the new side, where the base is one of its commits
    commit: str = ""  # the base's


@contextmanager
def sides(asked: Asked) -> Iterator[Sides]:
    """Both sides, ready to be measured, for as long as the context lasts.

    Raises UsageError for a reference or an interpreter that is not there, ScenarioError for the new side's scenario,
    Inconclusive where the base has no such scenario or one that cannot be read.
    """
    if asked.against is None and asked.base_python is None:
        raise UsageError("nothing to compare with: add --against REF, --base-env PYTHON or --baseline RUN")
    new = read(asked, asked.path)
    with ExitStack() as stack:
        told, base = "the working tree", new
        repository: Repository | None = None
        commit = ""
        roots: tuple[Path | None, Path | None] = (None, None)
        now = told
        if asked.against is not None:
            repository = Repository.around(Path(asked.path).resolve())
            commit = repository.commit(asked.against)
            now = f"the working tree ({repository.name('HEAD')})"
            tree = stack.enter_context(repository.at(commit))
            roots = (tree, repository.root)
            told = f"{asked.against} ({repository.name(commit)})"
            base = of_base(asked, tree / Path(asked.path).resolve().relative_to(repository.root), tree)
        modules = preloaded([*(base.parts or (base,)), *(new.parts or (new,))])
        pythons = (asked.base_python, asked.new_python)
        started = {
            python: stack.enter_context(LocalExecutor(modules=modules, python=interpreter(python)))
            for python in dict.fromkeys(pythons)
        }
        device = Machine(started[asked.new_python]).resolve(asked.device)
        seen: dict[str | None, Environment] = {
            python: Machine(one).ask("environment", device=device) for python, one in started.items()
        }
        named = [
            with_python(words, python, seen[python], len(started) > 1)
            for words, python in ((told, asked.base_python), (now, asked.new_python))
        ]
        yield Sides(
            Side(named[0], base, at(started, asked.base_python, base), seen[asked.base_python], roots[0]),
            Side(named[1], new, at(started, asked.new_python, new), seen[asked.new_python], roots[1]),
            device,
            one_python=len(started) == 1,
            path=from_root(asked.path),
            repository=repository,
            commit=commit,
        )


def looked_again(both: Sides) -> Sides:
    """The same with the machine as it is once it is ours alone: until then another run may have been its load, and what
    it warns of."""

    def again(side: Side) -> Side:
        return replace(side, environment=Machine(side.executor).ask("environment", device=both.device))

    new = again(both.new)
    base = replace(both.base, environment=new.environment) if both.one_python else again(both.base)
    return replace(both, base=base, new=new)


def state(both: Sides, asked: Asked) -> Iterator[str]:
    """What a reader must know of the working tree as it is now."""
    if both.repository is None:
        return
    if changes := both.repository.changes(besides=(asked.out, RESULTS)):
        yield f"the working tree differs from its commit and is measured as it is: {shortened(changes)}"
    elif both.commit == both.repository.commit("HEAD"):
        yield f"the working tree is {asked.against} itself: the code is compared with itself"


def at(started: Mapping[str | None, Executor], python: str | None, scenario: Scenario) -> At:
    """Workers of a side. What an environment of its own has installed is what it measures."""
    return At(started[python], scenario.folder, installed_first=python is not None, scattered=True)


@contextmanager
def alike(asked: Asked) -> Iterator[Sides]:
    """The same code on both sides, from two places, as for `sides`: to see how the gate errs.

    Two worktrees of the commit, or where the working tree differs from it, or is in no repository, two copies. Their
    paths have different lengths, each side loads its own files and compiles its own bytecode, as in a comparison.
    Raises as `sides`.
    """
    here = Path(asked.path).resolve()
    read(asked, asked.path)  # a mistake in it is to be told of the file that was given
    with ExitStack() as stack:
        told, root, trees = twice(here, asked.out, stack)
        scenarios = [read(asked, str(tree / here.relative_to(root))) for tree in trees]
        started = stack.enter_context(LocalExecutor(modules=preloaded(scenarios[1].parts or (scenarios[1],))))
        machine = Machine(started)
        device = machine.resolve(asked.device)
        environment: Environment = machine.ask("environment", device=device)
        base, new = (
            Side(told, one, At(started, one.folder, scattered=True), environment, tree)
            for one, tree in zip(scenarios, trees, strict=True)
        )
        yield Sides(base, new, device, path=asked.path)


def twice(scenario: Path, out: Path, stack: ExitStack) -> tuple[str, Path, tuple[Path, Path]]:
    """What lies around a scenario, checked out or copied two times for as long as `stack` lasts: what it is, in words,
    the folder it is of, and where the two are."""
    try:
        repository = Repository.around(scenario)
        commit = repository.commit("HEAD")
    except UsageError:  # no repository, or nothing committed in it yet
        files = files_below(scenario.parent)
        trees = [stack.enter_context(one) for one in copies(scenario.parent, files)]
        return f"two copies of {scenario.parent}, which has no commit", scenario.parent, (trees[0], trees[1])
    files, asked_for = repository.files(), scenario.relative_to(repository.root)
    ignored = [] if asked_for in files else [asked_for]
    if changes := repository.changes(besides=(out, RESULTS)) or [str(one) for one in ignored]:
        trees = [stack.enter_context(one) for one in copies(repository.root, [*files, *ignored])]
        differs = f"it differs from its commit: {shortened(changes)}"
        return f"two copies of the working tree ({differs})", repository.root, (trees[0], trees[1])
    trees = [stack.enter_context(one) for one in (repository.at(commit), repository.at(commit, LONGER))]
    return f"two worktrees of {repository.name(commit)}", repository.root, (trees[0], trees[1])


def copies(root: Path, files: Sequence[Path]) -> tuple[AbstractContextManager[Path], AbstractContextManager[Path]]:
    return copied(root, files), copied(root, files, LONGER_COPY)


def read(asked: Asked, path: str) -> Scenario:
    """The scenario of one side. Raises ScenarioError, and UsageError for standard input, which is read only once."""
    if path == STDIN:
        raise UsageError("a scenario file is needed here, not standard input: it is read for each side, and kept")
    return load(path, asked.overrides, quick=asked.quick, rigorous=asked.rigorous)


def of_base(asked: Asked, path: Path, tree: Path) -> Scenario:
    """The scenario as the reference has it: it may have fewer cases, or none."""
    if not path.exists():
        raise Inconclusive(
            f"{path.relative_to(tree)} does not exist at {asked.against}: nothing to compare with. Once it is there, "
            "the gate has something to guard"
        )
    try:
        return read(asked, str(path))
    except ScenarioError as error:
        said = str(error).replace(f"{tree}/", "")
        raise Inconclusive(f"the scenario at {asked.against} cannot be read: nothing to compare with\n{said}") from None


def interpreter(python: str | None) -> str | None:
    """The Python of an environment: itself, or the folder it lives in. Raises UsageError."""
    if python is None:
        return None
    path = Path(python)
    for one in (path, path / "bin" / "python"):
        if one.is_file():
            return str(one.absolute())  # not resolved: a virtual environment is known by its own path
    raise UsageError(f"{python}: there is no Python; name an interpreter or a virtual environment's folder")


def with_python(words: str, python: str | None, seen: Environment, several: bool) -> str:
    return f"{words}, Python {seen.python}, torch {seen.torch} ({python or 'this one'})" if several else words
