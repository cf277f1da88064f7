"""Invoices and credit notes as PDFs: one layout, drawn from the texts of `document_view` only.

Text is only ever drawn as characters (no markup, links or images are read from it), and the same
document always gives the same bytes, so that one that has to be made again is the same.
The module is slow to import (fpdf2, fonts): only the functions that issue documents do.
"""

from __future__ import annotations

import io
import logging
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC
from functools import partial
from typing import Final, cast

from fpdf import FPDF, ViewerPreferences
from PIL import Image

from paylink.domain.color import parse_color
from paylink.presentation.document_view import DocumentView, LineRow, Party, view_document
from paylink.presentation.documents import DocumentFacts
from paylink.presentation.fonts import FAMILY, Typeface

Color = tuple[int, int, int]

_RIGHT_TO_LEFT: Final = re.compile("R(?:N*[RD])*")
"""In the kinds of a line's characters."""

# Lengths in millimetres, font sizes in points.
_MARGIN: Final = 18.0
_FOOTER_HEIGHT: Final = 20.0
_GUTTER: Final = 6.0
_CELL: Final = 1.6
"""Space between a table's edge and its text."""
_LOGO_BOX: Final = (50.0, 16.0)
_AMOUNT_WIDTH: Final = 33.0
_QUANTITY_WIDTH: Final = 18.0
_LINE: Final = 4.7
_BODY_SIZE: Final = 9.0
_SMALL_SIZE: Final = 7.5
_SMALLEST_SIZE: Final = 5.0

# A party's block shares the page with others and can't run on to the next.
_MAX_FIELD_LINES: Final = 6
_MAX_PARTY_LINES: Final = 26

_ACCENT: Final = (32, 58, 112)
_INK: Final = (26, 30, 38)
_MUTED: Final = (98, 106, 120)
_RULE: Final = (216, 221, 229)
_SHADE: Final = (245, 247, 250)
_PAID: Final = (22, 112, 66)
_VOID: Final = (170, 38, 38)
_WARNING: Final = (128, 70, 8)
_WARNING_SHADE: Final = (255, 243, 214)
_WATERMARK: Final = (244, 238, 226)

logger = logging.getLogger(__name__)


def render_document(facts: DocumentFacts, logo: bytes | None = None) -> bytes:
    """The PDF of an invoice or a credit note, in its language; equal input, equal bytes.

    A4, or Letter where the buyer (else the seller) has that paper. A character that no font has is
    printed as its Unicode name in brackets, a lone surrogate as U+FFFD; control characters are
    spaces, and invisible ones are left out. A ``logo`` that is no picture is logged and left out.
    """
    document = facts.document
    view = view_document(facts)
    regions = (
        # The words are most of the text, so that their language decides where it uses Han.
        *((view.locale.territory, "CN") if view.locale.language == "zh" else ()),
        *(("JP",) if view.locale.language == "ja" else ()),
        document.buyer.address.country,
        document.seller.address.country,
    )
    typeface = Typeface((*view.texts(), document.seller.name), regions)
    pdf = _Pages(view, typeface, logo if logo and _is_picture(logo) else None)
    pdf.creation_date = document.issued_at.astimezone(UTC)
    with typeface.installed(pdf):
        pdf.draw()
        return bytes(pdf.output())


def _is_picture(content: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError):
        logger.warning("a document goes without its logo, which is no picture")
        return False
    return True


class _Pages(FPDF):
    """The pages of one document; widths and positions in millimetres."""

    def __init__(self, view: DocumentView, typeface: Typeface, logo: bytes | None) -> None:
        super().__init__(format=view.paper)
        self._view = view
        self._logo = logo
        self._accent: Color = parse_color(view.accent) if view.accent else _ACCENT
        self._print = typeface.printable
        self._in_table = False
        self._present_style: tuple[float, Color, bool] = (_BODY_SIZE, _INK, False)
        # fpdf2 would replace its own placeholder for the number of pages in the buyer's text, too.
        self.str_alias_nb_pages = ""
        self.set_margin(_MARGIN)
        self.set_auto_page_break(auto=True, margin=_FOOTER_HEIGHT)
        self.c_margin = 0
        self.set_title(self._print(view.number))
        self.set_author(self._print(view.seller.name))
        self.set_subject(self._print(f"{view.title} {view.number}"))
        self.set_creator("paylink")
        self.set_lang(view.language)
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)

    def draw(self) -> None:
        """Lays out the whole document."""
        self.add_page()
        self._draw_logo()
        self._draw_title()
        self._draw_parties()
        self._draw_lines()
        self._draw_sums()
        self._draw_payment()
        self._draw_page_numbers()

    def header(self) -> None:
        """What every page begins with; fpdf2 calls it whenever a page is begun."""
        self._fill(self._accent, 0, 0, self.w, 2.2)
        self.set_y(_MARGIN - 4)
        if self._view.sandbox:
            self._draw_sandbox_mark(self._view.sandbox)
        if self.page > 1:
            self._style(_SMALL_SIZE, _MUTED)
            self._text(f"{self._view.title} {self._view.number}", self.l_margin, self.epw)
            self.set_y(self.y + 7)
            if self._in_table:
                self._draw_columns()
        self._style(_BODY_SIZE)

    def _draw_sandbox_mark(self, text: str) -> None:
        self._style(100, _WATERMARK, bold=True)
        self.set_y(self.h - 80)
        self._text("SANDBOX", self.l_margin, self.epw, align="C", height=40)
        self.set_y(_MARGIN - 8)
        self._fill(_WARNING_SHADE, self.l_margin, self.y, self.epw, 8)
        self._style(_BODY_SIZE, _WARNING, bold=True)
        self._text(text, self.l_margin, self.epw, align="C", height=8)
        self.set_y(self.y + 13)

    def _draw_logo(self) -> None:
        if self._view.logo and self._logo:
            width, height = self._view.logo.fitted(*_LOGO_BOX)
            self.image(io.BytesIO(self._logo), self.l_margin, self.y, width, height)
            self.set_y(self.y + height + 7)

    def _draw_title(self) -> None:
        top = self.y
        self._style(25, self._accent, bold=True)
        self._text(self._view.title, self.l_margin, self.epw / 2, height=11)
        color = self._status_color()
        status = self._view.stamp.upper()
        self._style(10, color, bold=True)
        width = self.get_string_width(status) + 9
        x = self.w - self.r_margin - width
        self.set_draw_color(*color)
        self.set_line_width(0.45)
        self.rect(x, top + 1.6, width, 8, round_corners=True, corner_radius=1.4)
        self.set_y(top + 1.6)
        self._text(status, x, width, align="C", height=8)
        self.set_y(top + 19)

    def _draw_parties(self) -> None:
        facts_width = 46.0
        width = (self.epw - facts_width - 2 * _GUTTER) / 2
        top = self.y
        bottoms = [
            self._draw_party(self._view.seller, self.l_margin, top, width),
            self._draw_party(self._view.buyer, self.l_margin + width + _GUTTER, top, width),
        ]
        x = self.w - self.r_margin - facts_width
        self.set_y(top)
        for fact in self._view.facts:
            self._style(_SMALL_SIZE, _MUTED)
            self._text(fact.label, x, facts_width)
            self.set_y(self.y + _LINE - 0.5)
            self._style(_BODY_SIZE)
            self._text(fact.value, x, facts_width)
            self.set_y(self.y + _LINE + 2)
        self.set_y(max(*bottoms, self.y) + 9)

    def _draw_party(self, party: Party, x: float, top: float, width: float) -> float:
        """Draws seller or buyer and returns where the block ends."""
        self.set_y(top)
        self._style(_SMALL_SIZE, _MUTED)
        self._text(party.heading, x, width)
        self.set_y(self.y + _LINE + 0.3)
        left = _MAX_PARTY_LINES
        for index, text in enumerate((party.name, *party.lines)):
            if not text.strip() or left <= 0:
                continue
            self._style(10 if index == 0 else _BODY_SIZE, bold=index == 0)
            before = self.y
            self._paragraph(self._shortened(text, width, min(left, _MAX_FIELD_LINES)), x, width)
            left -= round((self.y - before) / _LINE)
            self.y += 0.8 if index == 0 else 0
        return self.y

    def _draw_columns(self) -> None:
        self._fill(_SHADE, self.l_margin, self.y, self.epw, 7.5)
        self._style(_SMALL_SIZE, _MUTED, bold=True)
        columns = self._view.columns
        width = self._description_width()
        self._text(columns.description, self.l_margin + _CELL, width, height=7.5)
        self._draw_cells(columns, 7.5)
        self.set_y(self.y + 7.5 + 2.4)

    def _draw_lines(self) -> None:
        self._draw_columns()
        self._in_table = True
        for line in self._view.lines:
            self._break_page_for(3 * _LINE)
            self._style(_BODY_SIZE)
            self._paragraph(
                line.description,
                self.l_margin + _CELL,
                self._description_width(),
                beside_first=partial(self._draw_cells, line, _LINE),
            )
            self.y += 2.2
            self._rule(self.l_margin, self.y, self.epw)
            self.y += 2.4
        self._in_table = False

    def _draw_cells(self, line: LineRow, height: float) -> None:
        """The columns right of the description, on the present line."""
        x = self.l_margin + _CELL + self._description_width()
        for text, width in (
            (line.quantity, _QUANTITY_WIDTH),
            (line.unit_price, _AMOUNT_WIDTH),
            (line.amount, _AMOUNT_WIDTH),
        ):
            self._text(text, x + 2, width - 2, align="R", height=height)
            x += width

    def _description_width(self) -> float:
        return self.epw - 2 * _CELL - 2 * _AMOUNT_WIDTH - _QUANTITY_WIDTH

    def _draw_sums(self) -> None:
        self.y += 1
        width = self._sums_width()
        x = self.w - self.r_margin - width
        value_width = 40.0
        self._break_page_for(min(15 + 2 * _LINE * len(self._view.sums), 70))
        for row in self._view.sums:
            self._break_page_for(3 * _LINE)
            self._style(_BODY_SIZE)
            self._paragraph(
                row.label,
                x,
                width - value_width - _CELL - 2,
                beside_first=partial(
                    self._text,
                    row.value,
                    self.w - self.r_margin - _CELL - value_width,
                    value_width,
                    align="R",
                ),
            )
            self.y += 1.5
        self._break_page_for(14)
        self.set_draw_color(*self._accent)
        self.set_line_width(0.5)
        self.line(x, self.y + 0.8, self.w - self.r_margin, self.y + 0.8)
        self.y += 2.6
        self._style(12, bold=True)
        total = self._view.total
        self._text(total.label, x, 36, height=7)
        self._text(total.value, x + 36, width - 36 - _CELL, align="R", height=7)
        self.y += 7 + 8

    def _sums_width(self) -> float:
        return self.epw * 0.6

    def _draw_payment(self) -> None:
        if self._view.payment:
            self._break_page_for(12)
            self._fill(_SHADE, self.l_margin, self.y, self.epw, 10)
            self._fill(self._status_color(), self.l_margin, self.y, 1.2, 10)
            self._style(_BODY_SIZE + 0.5, _INK, bold=True)
            self._text(self._view.payment, self.l_margin + 5, self.epw - 10, height=10)
            self.y += 15
        for note in self._view.notes:
            self._break_page_for(2 * _LINE)
            self._style(_BODY_SIZE, _INK)
            self._paragraph(note, self.l_margin, self.epw)
            self.y += 1

    def _status_color(self) -> Color:
        return _VOID if self._view.void else _PAID

    def footer(self) -> None:
        """What every page ends with; fpdf2 calls it whenever a page is done."""
        self._rule(self.l_margin, self.h - _FOOTER_HEIGHT + 6, self.epw)

    def _draw_page_numbers(self) -> None:
        """The footers' text, once the number of pages is known."""
        self.set_auto_page_break(auto=False)
        pages = len(self.pages)
        issuer = f"{self._view.number} · {self._print(self._view.seller.name)}"
        for page in range(1, pages + 1):
            self.page = page
            self.set_y(self.h - _FOOTER_HEIGHT + 8)
            self._style(_SMALL_SIZE, _MUTED)
            self._text(self._shortened(issuer, self.epw - 45, 1), self.l_margin, self.epw - 45)
            number = self._view.page_label.format(page=page, pages=pages)
            self._text(number, self.w - self.r_margin - 40, 40, align="R")

    def _style(self, size: float, color: Color = _INK, bold: bool = False) -> None:
        self._present_style = (size, color, bold)
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*color)

    def _text(
        self, text: str, x: float, width: float, *, align: str = "L", height: float = _LINE
    ) -> None:
        """One line at the present y, which stays; set smaller where it would be too wide."""
        printed = self._print(text)
        self._draw_text(printed, _direction(printed), x, width, align, height)

    def _draw_text(
        self, printed: str, direction: str, x: float, width: float, align: str, height: float
    ) -> None:
        y = self.y
        runs = _runs(printed) if direction == "ltr" else [(printed, direction)]
        # fpdf2 loses track of the font after a line that begins in a fallback font.
        with self.local_context():
            widths = [self._width_of(*run) for run in runs]
            if sum(widths) > width:
                smaller = self.font_size_pt * width / sum(widths) * 0.99
                self.set_font_size(max(smaller, _SMALLEST_SIZE))
                widths = [self._width_of(*run) for run in runs]
            x += {"L": 0.0, "C": 0.5, "R": 1.0}[align] * (width - sum(widths))
            for (text, run_direction), run_width in zip(runs, widths, strict=True):
                self.set_text_shaping(direction=run_direction)
                self.set_xy(x, y)
                with self.local_context():
                    self.cell(run_width, height, text, new_x="LEFT", new_y="TOP")
                x += run_width
        self.y = y

    def _width_of(self, text: str, direction: str) -> float:
        self.set_text_shaping(direction=direction)
        return self.get_string_width(text)

    def _paragraph(
        self, text: str, x: float, width: float, beside_first: Callable[[], None] | None = None
    ) -> None:
        """Wrapped text from the present y on, which moves below it; may run over pages.

        ``beside_first`` draws what stands beside the first line, after the text where that is
        possible, since that is the order in which programs read the page.
        """
        printed = self._print(text)
        direction = _direction(printed)
        top = self.y
        for line in self._lines(printed, width):
            if beside_first and self.will_page_break(_LINE):
                self._draw_at(top, beside_first)
                beside_first = None
            self._break_page_for(_LINE)
            self._draw_text(line, direction, x, width, "L", _LINE)
            self.y += _LINE
        if beside_first:
            self._draw_at(top, beside_first)

    def _draw_at(self, y: float, draw: Callable[[], None]) -> None:
        below = self.y
        self.y = y
        draw()
        self.y = below

    def _shortened(self, text: str, width: float, lines: int) -> str:
        """The text made printable, cut with an ellipsis where it would take more lines."""
        printed = self._print(text)
        if len(self._lines(printed, width)) <= lines:
            return printed
        low, high = 0, len(printed)
        while low < high:
            middle = (low + high + 1) // 2
            fits = len(self._lines(printed[:middle] + "…", width)) <= lines
            low, high = (middle, high) if fits else (low, middle - 1)
        return printed[:low].rstrip() + "…"

    def _lines(self, printed: str, width: float) -> list[str]:
        """The lines it wraps to, at least one."""
        if self._width_of(printed, _direction(printed)) <= width:
            return [printed]  # as nearly all are: fpdf2 would measure character by character
        lines = self.multi_cell(width, _LINE, printed, dry_run=True, output="LINES")
        return cast(list[str], lines)

    def _break_page_for(self, height: float) -> None:
        """Begins a new page, in the present style, where less than the height is left."""
        if self.will_page_break(height):
            style = self._present_style
            self.add_page()
            self._style(*style)

    def _rule(self, x: float, y: float, width: float) -> None:
        self.set_draw_color(*_RULE)
        self.set_line_width(0.2)
        self.line(x, y, x + width, y)

    def _fill(self, color: Color, x: float, y: float, width: float, height: float) -> None:
        self.set_fill_color(*color)
        self.rect(x, y, width, height, style="F")


def _direction(printed: str) -> str:
    """``ltr`` or ``rtl``, by the first letter that has a direction."""
    first = next((kind for kind in _kinds(printed) if kind in "LR"), "L")
    return "ltr" if first == "L" else "rtl"


def _runs(printed: str) -> list[tuple[str, str]]:
    """A line that reads left to right, cut into its parts of either direction.

    A number belongs to the right-to-left words before it; fpdf2 would let it part them.
    """
    runs: list[tuple[str, str]] = []
    end = 0
    for match in _RIGHT_TO_LEFT.finditer(_kinds(printed)):
        runs += [(printed[end : match.start()], "ltr"), (printed[slice(*match.span())], "rtl")]
        end = match.end()
    runs.append((printed[end:], "ltr"))
    return [run for run in runs if run[0]]


def _kinds(printed: str) -> str:
    """For each character ``L``, ``R``, ``D`` for a digit or ``N`` for none of these."""
    kinds = {"L": "L", "R": "R", "AL": "R", "EN": "D", "AN": "D"}
    return "".join(kinds.get(unicodedata.bidirectional(character), "N") for character in printed)
