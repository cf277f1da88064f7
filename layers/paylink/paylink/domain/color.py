"""Colours of sellers, checked so that nobody's pages become unreadable (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import re
from typing import Final

Rgb = tuple[int, int, int]

WHITE: Final[Rgb] = (255, 255, 255)
LEAST_CONTRAST: Final = 4.5
"""Of text with its background, level AA."""
_HEX: Final = re.compile(r"#?([0-9a-f]{6})", re.ASCII | re.IGNORECASE)


def parse_color(text: str) -> Rgb:
    """``#1f5f4f`` as three bytes; ValueError for anything else."""
    found = _HEX.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a colour such as #1f5f4f")
    red, green, blue = bytes.fromhex(found[1])
    return red, green, blue


def hex_color(color: Rgb) -> str:
    return "#" + bytes(color).hex()


def accent_color(text: str) -> str:
    """A seller's colour in lower case, ``#1f5f4f``: white text on it, and it on white, can be read.

    Raises ValueError for one that is too light.
    """
    color = parse_color(text)
    contrast = contrast_of(color, WHITE)
    if contrast < LEAST_CONTRAST:
        raise ValueError(
            f"{text} is too light: its contrast with white is {contrast:.1f}, less than 4.5"
        )
    return hex_color(color)


def lightened(color: Rgb, ground: Rgb, contrast: float = LEAST_CONTRAST) -> Rgb:
    """The colour with as much white as it takes to be read on a dark ground."""
    for share in range(0, 101, 5):
        mixed = mix(color, WHITE, share / 100)
        if contrast_of(mixed, ground) >= contrast:
            return mixed
    return WHITE


def mix(color: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def contrast_of(color: Rgb, other: Rgb) -> float:
    """From 1, the same, to 21, black and white."""
    brighter, darker = sorted((_luminance(color), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(color: Rgb) -> float:
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (byte / 255 for byte in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
