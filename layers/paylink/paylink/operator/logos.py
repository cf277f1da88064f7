"""Pictures that operators give as logos. What is kept is drawn anew from the pixels, so that it is
small, the right way up, and has nothing else of the file in it."""

from __future__ import annotations

import argparse
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from paylink.domain.color import WHITE, contrast_of
from paylink.domain.logo import Kind

LARGEST_FILE: Final = 200_000
"""Bytes, of what is given and of what is kept."""
_LONGEST_SIDE: Final = 2000
_SHORTEST_SIDE: Final = 40
_WIDEST: Final = 10
"""Times as wide as high."""
_HIGHEST: Final = 3
"""Times as high as wide."""
_BOX: Final = (1200, 400)
"""Enough for paper, which has it at most 50 mm wide or 16 mm high."""
_LEAST_CONTRAST: Final = 1.5
_KINDS: Final[dict[str | None, Kind]] = {"PNG": "png", "JPEG": "jpg"}


@dataclass(frozen=True)
class Picture:
    """What will be kept, its size in pixels."""

    content: bytes
    kind: Kind
    width: int
    height: int


def read_picture(path: str) -> Picture:
    """The picture in a file, on white. Raises ArgumentTypeError for one that can't be a logo."""
    try:
        with Path(path).open("rb") as file:
            given = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path} can't be read: {error.strerror}") from None
    if len(given) > LARGEST_FILE:
        raise argparse.ArgumentTypeError(f"{path} is larger than {LARGEST_FILE // 1000} kB")
    try:
        with Image.open(io.BytesIO(given), formats=("PNG", "JPEG")) as opened:
            kind = _KINDS[opened.format]
            _check_size(path, opened.size)
            picture = _on_white(ImageOps.exif_transpose(opened))
    except (OSError, SyntaxError, ValueError):
        raise argparse.ArgumentTypeError(f"{path} is no PNG or JPEG that can be read") from None
    picture.thumbnail(_BOX, Image.Resampling.LANCZOS)
    darkest = int(ImageOps.grayscale(picture).getextrema()[0])  # type: ignore[arg-type]
    if contrast_of((darkest, darkest, darkest), WHITE) < _LEAST_CONTRAST:
        raise argparse.ArgumentTypeError(f"{path} can't be seen on white, as paper is")
    kept = io.BytesIO()
    picture.save(kept, "PNG" if kind == "png" else "JPEG", optimize=True, quality=90)
    if kept.tell() > LARGEST_FILE:
        raise argparse.ArgumentTypeError(f"{path} has too much detail for a logo")
    return Picture(kept.getvalue(), kind, *picture.size)


def _check_size(path: str, size: tuple[int, int]) -> None:
    width, height = size
    if max(size) > _LONGEST_SIDE or min(size) < _SHORTEST_SIDE:
        raise argparse.ArgumentTypeError(
            f"{path} has {width} × {height} pixels; each side must have {_SHORTEST_SIDE} to"
            f" {_LONGEST_SIDE}"
        )
    if width > height * _WIDEST or height > width * _HIGHEST:
        raise argparse.ArgumentTypeError(
            f"{path} has {width} × {height} pixels, too much of a strip: a logo is at most"
            f" {_WIDEST} times as wide as high, or {_HIGHEST} times as high as wide"
        )


def _on_white(picture: Image.Image) -> Image.Image:
    """Without transparency: what is made for paper would get lost on the ground of a dark page."""
    if picture.mode.startswith("I"):  # grey of 16 bits, of which converting keeps the lower 8
        picture = picture.point(lambda value: value / 256, "L")
    drawn = picture.convert("RGBA")
    ground = Image.new("RGBA", drawn.size, "white")
    return Image.alpha_composite(ground, drawn).convert("RGB")
