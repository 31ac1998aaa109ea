"""From a file (or standard input) to a `Scenario`, or to every mistake in it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tbench.catalog import COMPONENTS
from tbench.components.registry import Component
from tbench.errors import ScenarioError, UsageError
from tbench.records import Value
from tbench.scenario import user_kernels
from tbench.scenario.axes import ALIAS, axis_fields
from tbench.scenario.mode import MODES, ModeName, crossed, mode_of, sampling
from tbench.scenario.model import KINDS, Scenario
from tbench.scenario.options import Override
from tbench.yamlfile.mistakes import Loc, Mistakes, did_you_mean, shown
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
        self.sampling: dict[str, Any] = {}  # of the suites around the file that is being loaded
        self.left_out: list[str] = []  # parts, by --quick

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
        own = form.get("sampling", {})
        crossed(sampling("", {}, {}, own, {}), [(("sampling",), own)], mistakes)
        around, self.sampling = self.sampling, {**own, **self.sampling}
        listed = {"": self.parts((), form, path, (*within, here), mistakes)}
        for kind in KINDS:
            if kind in form:
                listed[kind] = self.parts((kind,), form[kind], path, (*within, here), mistakes)
            elif any(part.parts and kind in part.devices for part in listed[""]):
                listed[kind] = listed[""]
        self.sampling = around
        flat = {kind: flattened(parts, kind) for kind, parts in listed.items()}
        if (parts := flat.pop("")) and not within:
            self.fits_somewhere(parts, mistakes)
        mistakes.raise_if_any()
        title, about = form.get("title", form["name"]), form.get("description", "")
        whole = Scenario(name=form["name"], title=title, description=about, parts=parts, path=path)
        return replace(whole, devices={kind: replace(whole, parts=parts) for kind, parts in flat.items()})

    def parts(
        self, at: Loc, section: Mapping[str, Any], path: str, within: tuple[Path, ...], mistakes: Mistakes
    ) -> list[Scenario]:
        """The files that a suite lists, in this mode. `section`: the suite or what it says of a device, at `at`.

        `within`: the suites around it, and itself.
        """
        here = within[-1]
        names = section.get("parts", [])
        quick = section.get("quick", {}).get("parts", names)
        for index, name in enumerate(quick):
            if name not in names:
                wrong = f"is not one of the parts{did_you_mean(name, names)}"
                mistakes.add((*at, "quick", "parts", index), f"{shown(name)} {wrong}")
            elif name in quick[:index]:
                mistakes.add((*at, "quick", "parts", index), f"{shown(name)} is listed twice; remove one")
        if self.mode == "quick":
            self.left_out += [name for name in names if name not in quick]
        loc = (*at, "parts")
        parts: list[Scenario] = []
        for index, name in enumerate(names):
            file = here.parent / name
            if not is_file(file):
                mistakes.add((*loc, index), f"{shown(name)}: there is no such file{nearby(file)}")
            elif name in names[:index]:
                mistakes.add((*loc, index), f"{shown(name)} is listed twice; remove one")
            elif file.resolve() in within:
                mistakes.add((*loc, index), f"{shown(name)} is a suite that holds this one; remove it")
            elif len(within) > DEEPEST_SUITE:
                mistakes.add(
                    (*loc, index), f"suites in suites, more than {DEEPEST_SUITE} deep; list {shown(name)} above"
                )
            elif self.mode != "quick" or name in quick:
                try:
                    parts.append(self.load(str(Path(path).parent / name if path != STDIN else name), within))
                except ScenarioError as error:
                    mistakes.elsewhere += str(error).splitlines()
        return parts

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
                left_out = f" (--quick leaves out {', '.join(self.left_out)})" if self.left_out else ""
                mistakes.elsewhere.append(f"{override.label}: {refused[0]}{left_out}")

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
        # Without --set every mode on every kind of device is checked, so that a mistake shows before it is first used.
        names = (self.mode,) if replaced else MODES
        scenarios: dict[str, Scenario] = {}
        used: set[Loc] = set()
        for kind in ("", *(kind for kind in KINDS if kind in form)):
            held = Mistakes(mistakes.name, mistakes.values, mistakes.keys) if kind and replaced else mistakes
            made = {name: mode_of(name, kind, form, data, self.sampling, replaced, held) for name in names}
            lines = placed(mistakes, ("fixed",), ("sweep",)) | placed(mistakes, (kind, "fixed"), (kind, "sweep"))
            of_mode = {name: mode.scenario(form, path, lines) for name, mode in made.items()}
            for name, mode in made.items():
                if name and not replaced and mode.has_cases_of(made[""]):
                    if not mistakes.any():
                        of_mode[name].keep(of_mode[""].points)
                else:
                    used |= checks.Checker(component, mode, not replaced, held).check(of_mode[name])
            scenarios[kind] = of_mode[self.mode]
            if held is not mistakes and held.any():
                scenarios[kind] = of_mode[self.mode].alike(unfit="\n".join(held.lines()))
        written = {loc for loc in mistakes.values if loc[-2:-1] == ("exclude",) and len(loc) <= 3}
        for loc in set() if replaced or mistakes.any() else written - used:
            mistakes.add(loc, "this matches no case; correct it or remove it")
        mistakes.raise_if_any()
        return scenarios.pop("").alike(devices=scenarios)

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


def flattened(parts: Sequence[Scenario], kind: str) -> tuple[Scenario, ...]:
    """The parts of a suite on a kind of device, suites among them as their own parts there."""
    return tuple(inner for part in parts for inner in part.devices.get(kind, part).parts or (part,))


def placed(mistakes: Mistakes, *sections: Loc) -> dict[str, int]:
    """The lines of these sections' keys, and of the sections themselves, by name."""
    keys = mistakes.keys.items()
    return {str(loc[-1]): line for loc, (line, _) in keys for at in sections if loc in (at, (*at, loc[-1]))}


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
