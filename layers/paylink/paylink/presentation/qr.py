"""QR codes of links: a phone's camera opens what is shown on another screen.

Slow to import (segno): only what draws a code does.
"""

from __future__ import annotations

import io
from typing import Final, Literal

import segno

_QUIET_ZONE: Final = 4
"""Modules of white around the code, as ISO/IEC 18004 asks for."""

Format = Literal["svg", "png"]


def qr_path(url: str) -> tuple[int, str]:
    """The code's side in modules, quiet zone included, and its dark parts as an SVG path stroked
    one wide; a page draws it in place, without a further request."""
    code = _code(url)
    side = len(code.matrix) + 2 * _QUIET_ZONE
    runs: list[str] = []
    for y, row in enumerate(code.matrix):
        x = 0
        while x < len(row):
            start = x
            while x < len(row) and row[x]:
                x += 1
            if x > start:
                runs.append(f"M{start + _QUIET_ZONE} {y + _QUIET_ZONE}.5h{x - start}")
            x += 1
    return side, "".join(runs)


def qr_image(url: str, form: Format, size: int) -> bytes:
    """An image whose side is ``size`` pixels: an SVG exactly, a PNG at most, since each module is a
    whole number of pixels or the code would blur."""
    code, out = _code(url), io.BytesIO()
    side = len(code.matrix) + 2 * _QUIET_ZONE
    scale = size / side if form == "svg" else max(1, size // side)
    code.save(out, kind=form, scale=scale, border=_QUIET_ZONE, light="white")
    return out.getvalue()


def _code(url: str) -> segno.QRCode:
    # Medium correction: a code on a screen or on paper is seldom dirty, and stays coarse.
    return segno.make(url, error="m", micro=False, boost_error=False)
