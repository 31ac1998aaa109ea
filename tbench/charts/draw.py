"""Charts to files: SVG without a browser, by vl-convert, which carries Vega-Lite itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tbench.charts import look
from tbench.charts.model import Chart, Panel
from tbench.claims.model import Language
from tbench.errors import UsageError
from tbench.store import jsonfile, usercache

FONT = "Liberation Sans"  # comes with vl-convert, so that the same figures give the same file everywhere
FAMILY = "Liberation Sans, Arial, Helvetica, sans-serif"
VERSION = "6.4"
REMEDY = "charts need vl-convert-python: pip install 'vl-convert-python>=1.8'"


@cache
def converter() -> ModuleType:
    """vl-convert, which takes half a second to load. Raises UsageError where it is not installed."""
    try:
        import vl_convert
    except ImportError as problem:
        raise UsageError(f"{REMEDY} ({problem})") from problem
    return vl_convert


def svg(chart: Chart, panel: Panel, language: Language = "en") -> str:
    """One picture on white, the same bytes for the same figures. Raises UsageError without vl-convert."""
    described = chart.describe(language)
    series = described["usermeta"]["series"]
    names = [*dict.fromkeys(str(record[series]) for record in panel.records if series in record)]
    description: dict[str, Any] = {
        **look.with_domain(described, names),
        "data": {
            "values": [{name: value for name, value in record.items() if value is not None} for record in panel.records]
        },
        "title": {
            "text": [*filter(None, (chart.title[language], panel.name))],  # a line each
            "fontSize": 13,
            "anchor": "start",
        },
        "description": panel.summary[language],
        "padding": 12,
        "config": look.configuration(look.PAPER, FAMILY, columns=2),
    }
    made: str = converter().vegalite_to_svg(description, vl_version=VERSION)
    return made if made.endswith("\n") else made + "\n"


def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script for a page. Raises UsageError without vl-convert.

    Bundling takes seconds, so the script is kept for the next page where the user's cache can be written.
    """
    library = converter()
    name = f"vega-lite-{VERSION}-vl-convert-{library.__version__}.js"
    with suppress(OSError):
        return (usercache.folder() / name).read_text(encoding="utf-8")
    made: str = library.javascript_bundle(vl_version=VERSION)
    with suppress(OSError):
        kept = usercache.folder() / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        jsonfile.replace(kept, made.encode())
    return made


def write(folder: Path, pictures: Iterable[tuple[str, Chart, Panel]]) -> list[str]:
    """Write each picture as `NAME.svg` into `folder`; returns the names of the files."""
    folder.mkdir(exist_ok=True)
    made = []
    for name, chart, panel in pictures:
        (folder / f"{name}.svg").write_text(svg(chart, panel), encoding="utf-8")
        made.append(f"{name}.svg")
    return made


def file_name(words: str) -> str:
    """`attention forward` as `attention-forward`."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
