"""Bars as SVG: two numbers a line don't need a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_LINE, _LABELS, _BARS, _MARGIN = 26, 340, 560, 90
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2933 }
.title { font-weight: 600; font-size: 15px }
.with { fill: #0f766e } .floor { fill: #64748b } .without { fill: #cbd5e1 }
@media (prefers-color-scheme: dark) {
  text { fill: #e5e7eb } .with { fill: #2dd4bf } .floor { fill: #94a3b8 } .without { fill: #475569 }
}
"""


@dataclass(frozen=True)
class Bar:
    """One line: a value, and a longer one behind it."""

    label: str
    value: float
    behind: float
    floor: bool = False


def bars(title: str, lines: Sequence[Bar]) -> str:
    """Horizontal bars on one scale, in the given order."""
    longest = max(max(line.value, line.behind) for line in lines)
    width, height = _LABELS + _BARS + _MARGIN, _LINE * (len(lines) + 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}"><style>{_STYLE}</style>',
        f'<text class="title" x="8" y="22">{escape(title)}</text>',
    ]
    for number, line in enumerate(lines, 1):
        top = number * _LINE + 22
        shade = "floor" if line.floor else "with"
        for kind, value in (("without", line.behind), (shade, line.value)):
            length = value / longest * _BARS
            parts.append(
                f'<rect class="{kind}" x="{_LABELS}" y="{top - 13}" width="{length:.0f}" '
                f'height="17" rx="2"/>'
            )
        end = _LABELS + line.behind / longest * _BARS + 6
        parts.append(f'<text x="{_LABELS - 8}" y="{top}" text-anchor="end">')
        parts.append(f"{escape(line.label)}</text>")
        parts.append(f'<text x="{end:.0f}" y="{top}">{line.value:.0f} / {line.behind:.0f}</text>')
    return "".join([*parts, "</svg>\n"])
