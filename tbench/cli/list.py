"""`tbench list`: what can be compared and where; with a scenario, its cases. Loads no torch, and starts at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tbench.catalog import COMPONENTS
from tbench.components.entries import Entry, entries
from tbench.components.own import FORMS
from tbench.components.registry import Axis, Component, Variant, installed
from tbench.proof.evidence import NEVER, Evidence, every, told
from tbench.records import text
from tbench.tables.table import Table
from tbench.tables.text import PROSE, Sheet
from tbench.tables.units import counted

SIZES = ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn_hidden", "vocab", "max_positions", "window")
KINDS = {"int": "whole number", "bool": "true, false"}


def list_command(
    scenario: str | None,
    *,
    overrides: Sequence[str],
    select: Sequence[str],
    quick: bool,
    rigorous: bool,
    device: str,
) -> None:
    """Print the components, or the identities of a scenario's cases. Raises as `tbench.scenario.load` and `expand`."""
    if scenario is None:
        overview(given=bool(overrides or select or quick or rigorous or device != "auto"))
    else:
        cases(scenario, overrides, select, quick, rigorous, device)


def cases(path: str, overrides: Sequence[str], select: Sequence[str], quick: bool, rigorous: bool, device: str) -> None:
    from tbench.scenario import expand, load

    found = expand(load(path, overrides, quick=quick, rigorous=rigorous), named(device), select)
    for case in found:
        print(case.id)
    print(counted(len(found), "case"), file=sys.stderr)


def named(device: str) -> str:
    """The device to name in identities. `auto` is a guess: only torch could tell for certain."""
    from tbench.errors import UsageError
    from tbench.scenario.options import DEVICE

    if device == "auto":
        return "cuda:0" if nvidia_device() else "cpu"
    if not DEVICE.fullmatch(device):
        raise UsageError(f"--device {device}: no such device; write auto, cpu, cuda or cuda:0")
    return "cuda:0" if device == "cuda" else device


def overview(given: bool) -> None:
    """Every component with its variants and axes, and the model presets."""
    sheet = Sheet(wide=PROSE)

    def table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> None:
        sheet.table(Table.of_words(header, rows, caption), caption="loud")
        sheet.say()

    cuda, known = nvidia_device(), every()
    for component in COMPONENTS.values():
        about = f"{component.name}: {component.about}; phases {', '.join(component.phases)}"
        evidence = () if component.experiment else ("evidence",)
        columns = (component.variant_axis, "description", "runs on", "here", *evidence)
        table(columns, variants(component, cuda, known), about)
        table(("axis", "values", "default", "meaning"), axes(component))
    taking = ", ".join(component.name for component in COMPONENTS.values() if component.own)
    sheet.say(f"custom kernels: {FORMS}, in {taking}; docs/variants.md", "loud")
    table(("model", *SIZES), models(), "models: sizes filled in by `model:`")
    print(sheet, end="")
    for entry in entries():
        fault = entry.fault or refused(entry)
        if fault:
            name = f"{entry.component}.{entry.kernel}".strip(".")
            print(f"warning: {entry.package}: entry point {name}: {fault}", file=sys.stderr)
    if given:
        print("warning: scenario options have no effect without a SCENARIO", file=sys.stderr)


def variants(component: Component, cuda: bool, known: Sequence[Evidence]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for variant in (*component.variants.values(), *component.offered.values()):
        limits = [", ".join(variant.devices)]
        limits += [", ".join(variant.phases)] if variant.phases else []
        limits += [", ".join(variant.dtypes)] if len(variant.dtypes) < len(component_dtypes(component)) else []
        proved = told(component.name, variant.name, known) if variant.name in component.variants else NEVER
        evidence = () if component.experiment else (proved,)
        rows.append((variant.name, variant.about, "; ".join(limits), obstacle(variant, cuda) or "yes", *evidence))
    return rows


def refused(entry: Entry) -> str | None:
    """Why a component does not offer what an entry point names; None if it does."""
    component = COMPONENTS.get(entry.component)
    if component is None or component.own is None:
        return f"no component {entry.component!r} accepts kernels"
    return "tbench already has a kernel of that name; choose another" if entry.kernel in component.variants else None


def component_dtypes(component: Component) -> set[str]:
    return {dtype for variant in component.variants.values() for dtype in variant.dtypes}


def obstacle(variant: Variant, cuda: bool) -> str | None:
    """Why no case of `variant` can run on this machine, as far as it can be told without torch; None if some may."""
    if not cuda and variant.devices == ("cuda",):
        return "CUDA only; no NVIDIA device here"
    for module, distribution in variant.requires:
        if not installed(module):
            return f"needs {distribution}: pip install {distribution}"
    return None


def nvidia_device() -> bool:
    """Whether the system shows an NVIDIA GPU: the driver's device files, or the GPU that Windows lends to Linux."""
    dev = Path("/dev")
    return any(dev.glob("nvidia[0-9]*")) or (dev / "dxg").exists()


def axes(component: Component) -> list[Sequence[str]]:
    return [
        (axis.name, values(axis), "" if axis.default is None else text(axis.default), axis.help)
        for axis in component.axes
        if axis.name != component.variant_axis
    ]


def values(axis: Axis) -> str:
    """What may stand for an axis: `whole number`, its choices, or the forms of its text (`window:N`)."""
    if axis.kind in KINDS:
        return KINDS[axis.kind]
    texts = [form["pattern"] for form in (axis.schema or {}).get("oneOf", ()) if "pattern" in form]
    forms = [form for text in texts for form in text.strip("^()$").replace(r"\d+", "N").split("|")]
    return ", ".join([*axis.choices, *forms])


def models() -> list[Sequence[str]]:
    from tbench.model.presets import PRESETS

    return [(name, *(str(preset.axes(SIZES).get(size, "")) for size in SIZES)) for name, preset in PRESETS.items()]
