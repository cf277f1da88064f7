"""Fonts for documents in any script: which font sets which character, and what is printed for a
character that none has.

A PDF must carry its fonts, and no one font has every script. The fonts come from two packages of
the ``pdf`` layer: ``pymupdf-fonts`` (Noto Sans for Latin, Greek and Cyrillic, FiraGO for Arabic,
Hebrew, Thai, Devanagari and Georgian, Noto Sans Symbols 2) and ``noto-cjk-sans-otc`` (Noto Sans CJK
with its five regional forms). Each document loads only those its own text needs, and embeds only
the glyphs it uses. What they lack (emoji, further scripts) is printed as its Unicode name in
brackets, so that no invoice ever shows an empty box.
"""

from __future__ import annotations

import atexit
import logging
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Final

from fontTools.pens.cu2quPen import Cu2QuPen  # type: ignore[import-untyped]
from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped]
from fontTools.subset import Options, Subsetter  # type: ignore[import-untyped]
from fontTools.ttLib import TTFont, newTable  # type: ignore[import-untyped]
from fpdf import FPDF
from fpdf.fonts import TTFFont

# It warns of every table that it leaves out of a subset.
logging.getLogger("fontTools.subset").setLevel(logging.ERROR)

FAMILY: Final = "notosans"
"""The family to choose; the others stand in for it character by character."""


@dataclass(frozen=True)
class _Font:
    """One family: the modules of ``pymupdf-fonts`` with its styles, or a face of the collection."""

    family: str
    modules: tuple[tuple[str, str], ...] = ()
    face: int = 0
    cubic: bool = False
    """The outlines are of the kind (CFF) that is embedded only after a change."""

    def styles(self) -> Mapping[str, Path]:
        """Style (empty or ``B``) to font file."""
        if not self.modules:
            return {"": _collection()}
        return {style: _unpacked(module) for style, module in self.modules}


_NOTO_SANS: Final = _Font(FAMILY, (("", "NotoSans_Regular"), ("B", "NotoSans_Bold")))
_FIRA_GO: Final = _Font("firago", (("", "FiraGO_Regular"), ("B", "FiraGO_Bold")))
_SYMBOLS: Final = _Font("notosymbols", (("", "NotoSansSymbols2_Regular"),), cubic=True)
_CJK_FACES: Final = {
    region: _Font("notocjk", face=face, cubic=True)
    for face, region in enumerate(("JP", "KR", "CN", "TW", "HK"))
}
_CJK_REGION_OF: Final = {"KP": "KR", "SG": "CN", "MO": "HK", "ja": "JP", "ko": "KR", "zh": "CN"}

# What a layout adds to the texts it was given: page numbers, ellipses, names of characters.
_ALWAYS: Final = frozenset((*range(0x20, 0x7F), *map(ord, "\u00a0…·")))
_JOINERS: Final = frozenset("\u200c\u200d")
_DIRECTION_MARKS: Final = frozenset("\u200e\u200f")
# Arabic to Thaana, and the Indic scripts: joiners choose letter forms there and nowhere else.
_JOINED: Final = re.compile(r"[\u0600-\u07bf\u08a0-\u08ff\u0900-\u0dff]")
_COMPATIBILITY_IDEOGRAPHS: Final = re.compile(r"([\uf900-\ufaff\U0002f800-\U0002fa1f]+)")
_KANA: Final = re.compile(r"[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d]")
_HANGUL: Final = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")


class Typeface:
    """The fonts that set the given texts, and nothing beyond them.

    ``regions`` are ISO 3166 countries or languages, most telling first: they decide between
    the Chinese, Japanese and Korean forms of Han characters where the text itself doesn't.
    """

    def __init__(self, texts: Iterable[str], regions: Iterable[str | None]) -> None:
        text = "".join(_readable(t) for t in texts)
        self._ranges: dict[_Font, set[int]] = {}
        missing = {ord(character) for character in text} | _ALWAYS
        for font in (_NOTO_SANS, _FIRA_GO, _SYMBOLS, _cjk_font(text, regions)):
            found = missing & _characters(font)
            if found:
                self._ranges[font] = found
                missing -= found
            if not missing:
                break
        self._missing = {point: f"[{_name(chr(point))}]" for point in missing}

    def printable(self, text: str) -> str:
        """The text without control and invisible characters, and with a name in brackets for what
        no font has; every character of the result can be set."""
        return _readable(text).translate(self._missing)

    @contextmanager
    def installed(self, pdf: FPDF) -> Iterator[None]:
        """Adds the fonts to the document, which has to be finished before the context ends;
        `FAMILY` is there in regular and bold."""
        with tempfile.TemporaryDirectory(prefix="paylink-subset-") as directory:
            for font, characters in self._ranges.items():
                for style, path in font.styles().items():
                    embedded = path
                    if font.cubic:
                        embedded = Path(directory) / f"{font.family}{style}.ttf"
                        _write_truetype(path, font.face, characters, embedded)
                    pdf.add_font(font.family, style, embedded, unicode_range=sorted(characters))
            fallbacks = [font.family for font in self._ranges if font is not _NOTO_SANS]
            pdf.set_fallback_fonts(fallbacks, exact_match=False)
            try:
                yield
            finally:
                for added in pdf.fonts.values():
                    if isinstance(added, TTFFont):
                        added.close()


def _write_truetype(source: Path, face: int, characters: set[int], target: Path) -> None:
    """Writes a small TrueType font with what the characters need, shaping included.

    Readers get on badly with how fpdf2 embeds CFF fonts: some find spaces between Chinese
    characters, some warn of a broken document.
    """
    options = Options()
    options.hinting = False
    options.notdef_outline = True
    options.name_languages = [0x409]
    options.drop_tables += ["BASE", "DSIG", "TTFA", "VORG", "vhea", "vmtx"]
    with TTFont(source, fontNumber=face, lazy=True, recalcTimestamp=False) as font:
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=characters)
        subsetter.subset(font)
        _make_truetype(font)
        font.save(target)


def _make_truetype(font: TTFont) -> None:
    """Replaces cubic outlines by quadratic ones, off by a thousandth of the font's size at most."""
    outlines, glyphs = font.getGlyphSet(), {}
    for name in font.getGlyphOrder():
        pen = TTGlyphPen(outlines)
        outlines[name].draw(Cu2QuPen(pen, font["head"].unitsPerEm / 1000, reverse_direction=True))
        glyphs[name] = pen.glyph()
    font["loca"], font["glyf"] = newTable("loca"), newTable("glyf")
    font["glyf"].glyphOrder, font["glyf"].glyphs = font.getGlyphOrder(), glyphs
    widths = font["hmtx"].metrics
    for name, glyph in glyphs.items():
        glyph.recalcBounds(font["glyf"])
        widths[name] = (widths[name][0], getattr(glyph, "xMin", 0))
    del font["CFF "]
    font["maxp"].tableVersion = 0x00010000
    for unused in (
        "maxZones maxTwilightPoints maxStorage maxFunctionDefs maxInstructionDefs "
        "maxStackElements maxSizeOfInstructions maxComponentElements maxPoints maxContours "
        "maxCompositePoints maxCompositeContours maxComponentDepth"
    ).split():
        setattr(font["maxp"], unused, 1 if unused == "maxZones" else 0)
    font["post"].formatType = 3.0
    font.sfntVersion = "\000\001\000\000"


def _readable(text: str) -> str:
    """Composed characters, single spaces for line ends and controls, nothing invisible."""
    composed = "".join(
        part if index % 2 else unicodedata.normalize("NFC", part)
        for index, part in enumerate(_COMPATIBILITY_IDEOGRAPHS.split(text))
    )
    kept: list[str] = []
    for index, character in enumerate(composed):
        category = unicodedata.category(character)
        if category in {"Cc", "Zl", "Zp"}:
            kept.append(" ")
        elif category == "Cs":
            kept.append("\ufffd")
        elif character in _JOINERS:
            neighbours = composed[max(index - 1, 0) : index + 2]
            kept.append(character if _JOINED.search(neighbours) else "")
        elif not _is_invisible(character, category):
            kept.append(character)
    return "".join(kept)


def _is_invisible(character: str, category: str) -> bool:
    # Embeddings and overrides could make an amount read backwards; the two marks can't.
    if category == "Cf":
        return character not in _DIRECTION_MARKS
    is_variation_selector = "\ufe00" <= character <= "\ufe0f" or character >= "\U000e0100"
    is_skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    is_filler = character in "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
    return (is_variation_selector and category == "Mn") or is_skin_tone or is_filler


def _name(character: str) -> str:
    return unicodedata.name(character, f"U+{ord(character):04X}").replace("VARIATION ", "").lower()


def _cjk_font(text: str, regions: Iterable[str | None]) -> _Font:
    if _KANA.search(text):
        return _CJK_FACES["JP"]
    if _HANGUL.search(text):
        return _CJK_FACES["KR"]
    for region in regions:
        known = _CJK_REGION_OF.get(region or "", region or "")
        if known in _CJK_FACES:
            return _CJK_FACES[known]
    return _CJK_FACES["CN"]


@cache
def _characters(font: _Font) -> frozenset[int]:
    """The code points that every style of the font has."""
    covered: list[set[int]] = []
    for path in font.styles().values():
        with TTFont(path, fontNumber=font.face, lazy=True) as opened:
            covered.append(set(opened.getBestCmap()))
    return frozenset(set.intersection(*covered))


@cache
def _collection() -> Path:
    return Path(str(files("noto_cjk_sans_otc") / "NotoSansCJK-Regular.ttc"))


def _unpacked(module: str) -> Path:
    """A font of ``pymupdf-fonts``, which holds them compressed in modules, as a file."""
    path = _directory() / f"{module}.ttf"
    if not path.exists():  # not yet, or no longer: systems tidy up such directories
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(import_module(f"pymupdf_fonts.{module}").fontbuffer)
    return path


@cache
def _directory() -> Path:
    """Where this process unpacks fonts; gone when it ends."""
    directory = Path(tempfile.mkdtemp(prefix="paylink-fonts-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory
