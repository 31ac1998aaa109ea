"""From a file (or standard input) to a `Scenario`, or to every mistake in it at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tbench.catalog import COMPONENTS
from tbench.components.registry import Component
from tbench.errors import ScenarioError, UsageError
from tbench.records import Value
from tbench.scenario import user_kernels
from tbench.scenario.axes import ALIAS, axis_fields
from tbench.scenario.mode import MODES, Mode, ModeName, mode_of
from tbench.scenario.model import Scenario
from tbench.scenario.options import Override
from tbench.yamlfile.mistakes import Mistakes, did_you_mean, shown
from tbench.yamlfile.reader import REFUSED, Document, read
from tbench.yamlfile.source import STDIN, contents, folder_of, is_file, nearby, shown_path

DEEPEST_SUITE = 4


def load(path: str | Path, overrides: Sequence[str] = (), quick: bool = False, rigorous: bool = False) -> Scenario:
    """Read a scenario file; `-` reads standard input.

    `overrides`: texts as after `--set`, `axis=a,b`. `quick`, `rigorous`: the file's section of that name and its
    sampling replace what is written. Raises ScenarioError with every mistake, one `file:line:column: …` a line,
    and UsageError for an override that cannot be read.
    """
    if quick and rigorous:
        raise UsageError("--quick and --rigorous are mutually exclusive")
    mode: ModeName = "quick" if quick else "rigorous" if rigorous else ""
    wanted = [Override.read(text) for text in overrides]
    named = [override.axis for override in wanted]
    for override in wanted:
        if named.count(override.axis) > 1:
            raise UsageError(
                f"{override.label}: {override.axis} is set twice; give all its values at once, {override.axis}=a,b"
            )
        if ALIAS.get(override.axis) in named:
            raise UsageError(f"{override.label}: kv_heads and kv_sharing are one axis; set one of them")
    return Loader(mode, wanted, folder_of(str(path))).load(str(path), ())


class Loader:
    """Loads one file and, for a suite, its parts. `folder`: of the file that was asked for."""

    def __init__(self, mode: ModeName, overrides: Sequence[Override], folder: Path) -> None:
        self.mode, self.overrides, self.folder = mode, overrides, folder

    def load(self, path: str, within: tuple[Path, ...]) -> Scenario:
        document = read(contents(path), shown_path(path))
        if "parts" in document.data:
            return self.suite(document, path, within)
        return self.single(document, path, in_suite=bool(within))

    def suite(self, document: Document, path: str, within: tuple[Path, ...]) -> Scenario:
        from tbench.scenario.form import validated

        mistakes = document.mistakes
        form = validated(document.data, None, mistakes)
        here = Path(path).resolve() if path != STDIN else Path.cwd() / STDIN
        parts: list[Scenario] = []
        for index, name in enumerate(form.get("parts", [])):
            file = here.parent / name
            if not is_file(file):
                mistakes.add(("parts", index), f"{shown(name)}: there is no such file{nearby(file)}")
            elif name in form["parts"][:index]:
                mistakes.add(("parts", index), f"{shown(name)} is listed twice; remove one")
            elif file.resolve() in (*within, here):
                mistakes.add(("parts", index), f"{shown(name)} is a suite that holds this one; remove it")
            elif len(within) >= DEEPEST_SUITE:
                mistakes.add(
                    ("parts", index), f"suites in suites, more than {DEEPEST_SUITE} deep; list {shown(name)} above"
                )
            else:
                try:
                    part = self.load(str(Path(path).parent / name if path != STDIN else name), (*within, here))
                    parts += part.parts or (part,)
                except ScenarioError as error:
                    mistakes.elsewhere += str(error).splitlines()
        if parts and not within:
            self.fits_somewhere(parts, mistakes)
        mistakes.raise_if_any()
        title, about = form.get("title", form["name"]), form.get("description", "")
        return Scenario(name=form["name"], title=title, description=about, parts=tuple(parts), path=path)

    def fits_somewhere(self, parts: Sequence[Scenario], mistakes: Mistakes) -> None:
        """An override must fit one part of a suite at least."""
        components = [axis_fields(COMPONENTS[name]) for name in dict.fromkeys(part.component for part in parts)]
        for override in self.overrides:
            refused: list[str] = []
            for axes in components:
                try:
                    override.parsed(axes)
                    break
                except ValueError as error:
                    refused.append(str(error))
            else:
                mistakes.elsewhere.append(f"{override.label}: {refused[0]}")

    def single(self, document: Document, path: str, in_suite: bool) -> Scenario:
        from tbench.scenario import checks
        from tbench.scenario.form import validated

        data, mistakes = document.data, document.mistakes
        component = component_of(document)
        replaced = self.replacements(component, mistakes, in_suite)
        form = validated(data, component, mistakes)
        checks.overlaps(data, mistakes)
        mistakes.raise_if_any()
        form = user_kernels.settled(form, component.variant_axis, folder_of(path), self.folder, mistakes)
        checks.repetitions(form, mistakes)
        mistakes.raise_if_any()
        lines = {str(loc[-1]): line for loc, (line, _) in mistakes.keys.items() if loc[:1] in (("sweep",), ("fixed",))}
        # Without --set every mode is checked, so that a mistake shows before the mode is first used.
        made: dict[ModeName, Mode] = {}
        scenarios: dict[ModeName, Scenario] = {}
        used: set[int] = set()
        for name in (self.mode,) if replaced else MODES:
            made[name] = mode_of(name, form, data, replaced, mistakes)
            scenarios[name] = made[name].scenario(form, path, lines)
            if name and not replaced and made[name].has_cases_of(made[""]):
                if not mistakes.any():
                    scenarios[name].keep(scenarios[""].points)
            else:
                used |= checks.Checker(component, made[name], not replaced, mistakes).check(scenarios[name])
        unused = () if replaced or mistakes.any() else set(range(len(form.get("exclude", [])))) - used
        for index in unused:
            mistakes.add(("exclude", index), "this matches no case; correct it or remove it")
        mistakes.raise_if_any()
        return scenarios[self.mode]

    def replacements(
        self, component: Component, mistakes: Mistakes, in_suite: bool
    ) -> list[tuple[Override, tuple[Value, ...]]]:
        """The overrides with their values. In a suite, those that fit this part."""
        made = []
        axes = axis_fields(component)
        for override in self.overrides:
            try:
                values = override.parsed(axes)
            except ValueError as error:
                if not in_suite:
                    mistakes.elsewhere.append(f"{override.label}: {error}")
                continue
            made.append((override, values))
            if override.axis == component.variant_axis:
                troubles = user_kernels.troubles(values, self.folder)
                mistakes.elsewhere += [f"{override.label}: {override.axis}: {trouble}" for trouble in troubles]
        return made


def component_of(document: Document) -> Component:
    """The component by its name. Raises ScenarioError: without it, no axis can be judged."""
    mistakes, name = document.mistakes, document.data.get("component")
    if isinstance(name, str) and name in COMPONENTS:
        return COMPONENTS[name]
    if name is None:
        mistakes.add((), f"component is missing{did_you_mean('', COMPONENTS)}")
    elif name is not REFUSED:
        mistakes.add(("component",), f"component: {shown(name)} is not a component{did_you_mean(name, COMPONENTS)}")
    from tbench.scenario.form import top_keys

    known = top_keys()
    for key in document.data:
        if key not in known:
            mistakes.add((key,), f"unknown key {shown(key)}{did_you_mean(key, known)}", at_key=True)
    mistakes.raise_if_any()
    raise AssertionError("a component that is not there is a mistake")
