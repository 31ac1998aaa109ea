"""The two sides of a comparison: which code, which Python, and the workers that run it.

One engine measures both: the tbench that was started. Where both sides share a Python they share the server that
workers are forked from too, so that nothing differs between them but the code they load.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tbench.errors import Inconclusive, ScenarioError, UsageError
from tbench.execution.executor import At, Executor
from tbench.execution.local import LocalExecutor
from tbench.execution.prepare import preloaded
from tbench.execution.workplace import Machine
from tbench.gate.checkout import LONGER, LONGER_COPY, Repository, copied, files_below, from_root, shortened
from tbench.gate.options import Options
from tbench.records import Case, Environment
from tbench.scenario import Scenario, expand

RESULTS = Path("results")  # what tbench wrote is nobody's change


@dataclass(frozen=True)
class Side:
    """`label`: what it is, in words. `executor`: workers that find this side's own kernels. `root`: of its checkout,
    where it is one of two."""

    label: str
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


@dataclass(frozen=True)
class Version:
    """A side before its workers are started. `python`: the interpreter that was named for it."""

    label: str
    scenario: Scenario
    python: str | None
    root: Path | None = None


@contextmanager
def open_sides(options: Options) -> Iterator[Sides]:
    """Both sides, ready to be measured, for as long as the context lasts.

    Raises UsageError for a reference or an interpreter that is not there, ScenarioError for the new side's scenario,
    Inconclusive where the base has no such scenario or one that cannot be read.
    """
    if options.against is None and options.base_python is None:
        raise UsageError("nothing to compare with: add --against REF, --base-env PYTHON or --baseline RUN")
    new = Version("the working tree", options.read(), options.new_python)
    base = replace(new, python=options.base_python)
    repository: Repository | None = None
    commit = ""
    with ExitStack() as stack:
        if options.against is not None:
            file = Path(options.scenario).resolve()
            repository = Repository.around(file)
            commit = repository.commit(options.against)
            tree = stack.enter_context(repository.at(commit))
            new = replace(new, label=f"the working tree ({repository.name('HEAD')})", root=repository.root)
            there = of_base(options, tree / file.relative_to(repository.root), tree)
            base = Version(f"{options.against} ({repository.name(commit)})", there, options.base_python, tree)
        modules = preloaded([base.scenario, new.scenario])
        started = {
            python: stack.enter_context(LocalExecutor(modules=modules, python=interpreter(python)))
            for python in dict.fromkeys((base.python, new.python))
        }
        device = Machine(started[new.python]).resolve(options.device)
        environments: dict[str | None, Environment] = {
            python: Machine(one).ask("environment", device=device) for python, one in started.items()
        }

        def side(of: Version) -> Side:
            here = environments[of.python]
            label = of.label if len(started) == 1 else with_python(of.label, of.python, here)
            return Side(label, of.scenario, workers(started[of.python], of), here, of.root)

        yield Sides(
            side(base),
            side(new),
            device,
            one_python=len(started) == 1,
            path=from_root(options.scenario),
            repository=repository,
            commit=commit,
        )


def workers(started: Executor, of: Version) -> At:
    """Workers of a side. What an environment of its own has installed is what it measures."""
    return At(started, of.scenario.folder, installed_first=of.python is not None, scattered=True)


def refreshed(sides: Sides) -> Sides:
    """The same with the machine as it is once it is ours alone: until then another run may have been its load, and what
    it warns of."""

    def again(side: Side) -> Side:
        return replace(side, environment=Machine(side.executor).ask("environment", device=sides.device))

    new = again(sides.new)
    base = replace(sides.base, environment=new.environment) if sides.one_python else again(sides.base)
    return replace(sides, base=base, new=new)


def notes_on_tree(sides: Sides, against: str | None, output: Path) -> Iterator[str]:
    """What a reader must know of the working tree as it is now."""
    if sides.repository is None:
        return
    if changes := sides.repository.changes(besides=(output, RESULTS)):
        yield f"the working tree has uncommitted changes and is measured as is: {shortened(changes)}"
    elif sides.commit == sides.repository.commit("HEAD"):
        yield f"the working tree is identical to {against}: the code is compared with itself"


@contextmanager
def open_same_code(options: Options, output: Path) -> Iterator[Sides]:
    """The same code on both sides, from two places, as for `open_sides`: to see how the gate errs.

    Two worktrees of the commit, or where the working tree differs from it, or is in no repository, two copies. Their
    paths have different lengths, each side loads its own files and compiles its own bytecode, as in a comparison.
    Raises as `open_sides`.
    """
    here = Path(options.scenario).resolve()
    options.read()  # a mistake is shown in the file that was given, not in a copy
    with ExitStack() as stack:
        label, root, trees = check_out_twice(here, output, stack)
        scenarios = [options.read(str(tree / here.relative_to(root))) for tree in trees]
        started = stack.enter_context(LocalExecutor(modules=preloaded(scenarios[1:])))
        machine = Machine(started)
        device = machine.resolve(options.device)
        environment: Environment = machine.ask("environment", device=device)
        base, new = (
            Side(label, one, At(started, one.folder, scattered=True), environment, tree)
            for one, tree in zip(scenarios, trees, strict=True)
        )
        yield Sides(base, new, device, path=options.scenario)


def check_out_twice(scenario: Path, output: Path, stack: ExitStack) -> tuple[str, Path, tuple[Path, Path]]:
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
    if changes := repository.changes(besides=(output, RESULTS)) or [str(one) for one in ignored]:
        trees = [stack.enter_context(one) for one in copies(repository.root, [*files, *ignored])]
        differs = f"it has uncommitted changes: {shortened(changes)}"
        return f"two copies of the working tree ({differs})", repository.root, (trees[0], trees[1])
    trees = [stack.enter_context(one) for one in (repository.at(commit), repository.at(commit, LONGER))]
    return f"two worktrees of {repository.name(commit)}", repository.root, (trees[0], trees[1])


def copies(root: Path, files: Sequence[Path]) -> tuple[AbstractContextManager[Path], AbstractContextManager[Path]]:
    return copied(root, files), copied(root, files, LONGER_COPY)


def of_base(options: Options, path: Path, tree: Path) -> Scenario:
    """The scenario as the reference has it: it may have fewer cases, or none."""
    if not path.exists():
        raise Inconclusive(
            f"{path.relative_to(tree)} does not exist at {options.against}: nothing to compare with until it does"
        )
    try:
        return options.read(str(path))
    except ScenarioError as error:
        said = str(error).replace(f"{tree}/", "")
        raise Inconclusive(
            f"the scenario at {options.against} cannot be read: nothing to compare with\n{said}"
        ) from None


def interpreter(python: str | None) -> str | None:
    """The Python of an environment: itself, or the folder it lives in. Raises UsageError."""
    if python is None:
        return None
    path = Path(python)
    for one in (path, path / "bin" / "python"):
        if one.is_file():
            return str(one.absolute())  # not resolved: a virtual environment is known by its own path
    raise UsageError(f"{python}: no Python found; name an interpreter or a virtual environment's folder")


def with_python(label: str, python: str | None, environment: Environment) -> str:
    return f"{label}, Python {environment.python}, torch {environment.torch} ({python or 'this one'})"
