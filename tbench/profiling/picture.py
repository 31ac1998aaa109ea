"""Allocations over the time of a call, as an SVG: a step line for each case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from tbench.profiling.model import Profile
from tbench.profiling.tables import labels
from tbench.tables import units
from tbench.tables.printable import printable

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 80, 16, 44, 40
COLOURS = ("#0072b2", "#d55e00")  # Okabe and Ito's, which the colour-blind can tell apart
DASHES = ("none", "6 3")


def picture(profiles: Sequence[Profile]) -> str:
    """One or two cases over a common axis of time and of bytes."""
    return "\n".join(_lines(profiles)) + "\n"


def _lines(profiles: Sequence[Profile]) -> Iterator[str]:
    seconds = max(one.allocations[-1][0] for one in profiles) or 1.0
    most = max(one.peak_bytes for one in profiles) or 1
    names = labels(profiles)
    about = "; ".join(f"{name}: peak {units.size(one.peak_bytes)}" for name, one in zip(names, profiles, strict=True))
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" font-family="system-ui, sans-serif" font-size="12">'
    )
    yield "<title>Memory allocated during one call</title>"
    yield f"<desc>{_text(about)}</desc>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for share in (0.0, 0.5, 1.0):
        y, held = bottom - share * (bottom - TOP), units.size(int(share * most))
        yield f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#cccccc"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#333333">{held}</text>'
    for share, anchor in ((0.0, "start"), (1.0, "end")):
        x = LEFT + share * (right - LEFT)
        shown = units.duration_of(share * seconds) if share else "0"
        yield f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="{anchor}" fill="#333333">{shown}</text>'
    for number, (name, one) in enumerate(zip(names, profiles, strict=True)):
        colour, dash = COLOURS[number % 2], DASHES[number % 2]
        path = " ".join(_steps(one, seconds, most, bottom, right))
        yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dash}"/>'
        yield f'<text x="{LEFT}" y="{16 + 16 * number}" fill="{colour}">{_text(name)}</text>'
    yield "</svg>"


def _steps(one: Profile, seconds: float, most: int, bottom: float, right: float) -> Iterator[str]:
    """Bytes hold from one change to the next."""
    for number, (at, size) in enumerate(one.allocations):
        x = LEFT + at / seconds * (right - LEFT)
        y = bottom - max(size, 0) / most * (bottom - TOP)
        yield f"M{x:.1f} {y:.1f}" if not number else f"H{x:.1f}V{y:.1f}"


def _text(words: str) -> str:
    return escape(printable(words))
