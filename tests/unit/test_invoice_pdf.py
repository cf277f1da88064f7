"""The invoice as a document: what can be read in it, in all scripts, and that nothing breaks it."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import cast

import pytest
from fpdf import FPDF
from fpdf.fonts import TTFFont
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PageObject, PdfReader
from pypdf.generic import DictionaryObject

from paylink.domain.customer import Buyer
from paylink.domain.invoice import Invoice
from paylink.domain.logo import Logo
from paylink.domain.organization import Address, Organization
from paylink.domain.payment import LineItem
from paylink.domain.tax import TaxLine
from paylink.presentation.document_pdf import _runs, render_document
from paylink.presentation.document_view import view_document
from paylink.presentation.documents import CorrectedInvoice, DocumentFacts, invoice_document
from paylink.presentation.fonts import _directory
from paylink.presentation.formatting import format_money, locale_named

SELLER = Organization(
    id="org_1",
    name="Nordlicht Software GmbH",
    address=Address("Hafenstraße 12", None, "Hamburg", None, "20457", "DE"),
    tax_ids=("DE811907980",),
    email="billing@nordlicht.example",
    website="https://nordlicht.example",
    time_zone="Europe/Berlin",
)
BUYER = Buyer(
    email="ap@lumiere.example",
    name="Lumière & Fils SARL",
    address=Address("8 rue de la Paix", None, "Paris", None, "75002", "FR"),
    tax_ids=("FR40303265045",),
)
ISSUED = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)


def invoice_of(
    description: str = "Support plan",
    subtotal: int = 120_000,
    tax: int = 22_800,
    currency: str = "eur",
    **changes: object,
) -> Invoice:
    """A paid live invoice of one line; amounts in minor units."""
    invoice = Invoice(
        id="inv_1",
        number="INV-2026-000042",
        organization_id="org_1",
        mode="live",
        payment_id="pay_1",
        transaction_id="txn_1",
        status="paid",
        currency=currency,
        amount_subtotal=subtotal,
        tax_amount=tax,
        line_items=(LineItem(description, subtotal),),
        tax_lines=(TaxLine("VAT", "19", subtotal, tax, "standard_rated"),),
        seller=SELLER,
        buyer=BUYER,
        issued_at=ISSUED,
        paid_at=ISSUED,
        payment_method="Visa •••• 4242",
    )
    return replace(invoice, **changes)  # type: ignore[arg-type]


def rendered(invoice: Invoice) -> bytes:
    return render_document(invoice_document(invoice))


def read(invoice: Invoice) -> PdfReader:
    return PdfReader(io.BytesIO(rendered(invoice)))


def text_of(invoice: Invoice) -> str:
    return "\n".join(page.extract_text() for page in read(invoice).pages)


def words_of(invoice: Invoice) -> str:
    """The text without the line breaks that wrapping put into it."""
    return " ".join(text_of(invoice).split())


def resources_of(page: PageObject) -> DictionaryObject:
    return cast(DictionaryObject, page["/Resources"])


def fonts_of(reader: PdfReader) -> set[str]:
    return {
        str(cast(DictionaryObject, font.get_object())["/BaseFont"]).partition("+")[2]
        for page in reader.pages
        for font in cast(DictionaryObject, resources_of(page)["/Font"]).values()
    }


def test_it_says_what_an_accountant_looks_for() -> None:
    text = words_of(invoice_of())
    for expected in (
        "Invoice number INV-2026-000042",
        "Date of issue November 25, 2026",
        "Date of supply November 25, 2026",
        "From Nordlicht Software GmbH Hafenstraße 12 20457 Hamburg Germany VAT ID: DE811907980 "
        "billing@nordlicht.example https://nordlicht.example",
        "Bill to Lumière & Fils SARL 8 rue de la Paix 75002 Paris France VAT ID: FR40303265045 "
        "ap@lumiere.example",
        "Description Quantity Unit price Amount Support plan 1 €1,200.00 €1,200.00",
        "Subtotal €1,200.00",
        "VAT 19% on €1,200.00 €228.00",
        "Total (EUR) €1,428.00",
        "Paid on November 25, 2026 by Visa •••• 4242",
        "Page 1 of 1",
    ):
        assert expected in text
    assert "Sandbox" not in text


@pytest.mark.parametrize(
    ("currency", "subtotal", "tax", "language", "expected"),
    [
        ("jpy", 500, 50, "en-US", ("¥500", "¥50", "¥550")),
        ("kwd", 18_600, 930, "en-US", ("18.600", "0.930", "19.530")),
        ("ugx", 500_000, 90_000, "en-UG", ("5,000", "900", "5,900")),
        ("eur", 99_900, 18_981, "de-DE", ("999,00", "189,81", "1.188,81")),
        ("idr", 999_999_999_999, 0, "es-ES", ("9.999.999.999,99",)),
    ],
)
def test_the_three_amounts_are_those_of_everywhere_else(
    currency: str, subtotal: int, tax: int, language: str, expected: tuple[str, ...]
) -> None:
    text = words_of(invoice_of(subtotal=subtotal, tax=tax, currency=currency, language=language))
    for amount in (subtotal, tax, subtotal + tax):
        assert " ".join(format_money(amount, currency, locale_named(language)).split()) in text
    for number in expected:
        assert number in text


def test_description_in_many_scripts_is_readable_and_an_emoji_is_named() -> None:
    reader = read(invoice_of("請求書 فاتورة Ωμέγα 😀 €"))
    text = reader.pages[0].extract_text()
    for expected in ("請求書", "فاتورة", "Ωμέγα", "[grinning face]", "€"):
        assert expected in unicodedata.normalize("NFKC", text)
    assert {"NotoSans", "NotoSansBold", "FiraGO"} < fonts_of(reader)


def test_text_after_a_line_that_begins_in_another_script_is_readable() -> None:
    """fpdf2 would go on in the font that it began that line in."""
    text = words_of(
        invoice_of(
            "利用料 Ω",
            buyer=Buyer(
                "ap@test.example", "株式会社テスト", Address(line1="千代田区", country="JP")
            ),
            mode="sandbox",
        )
    )
    assert "Bill to 株式会社テスト 千代田区 Japan ap@test.example Invoice number" in text
    assert "利用料 Ω 1 €1,200.00 €1,200.00 Subtotal €1,200.00 VAT 19%" in text


def test_only_the_fonts_that_the_text_needs_are_embedded() -> None:
    assert fonts_of(read(invoice_of())) == {"NotoSans", "NotoSansBold"}


@pytest.mark.parametrize(
    ("description", "country", "face"),
    [
        ("直骨", "CN", "NotoSansCJKSC"),
        ("直骨", "TW", "NotoSansCJKTC"),
        ("直骨", "JP", "NotoSansCJKJP"),
        ("直骨の", "CN", "NotoSansCJKJP"),
        ("直骨 한국어", "CN", "NotoSansCJKKR"),
    ],
)
def test_han_characters_have_the_shapes_of_their_readers_country(
    description: str, country: str, face: str
) -> None:
    buyer = replace(BUYER, address=Address(country=country))
    assert face in fonts_of(read(invoice_of(description, buyer=buyer)))


def test_no_glyph_is_missing_in_any_planes_text(caplog: pytest.LogCaptureFixture) -> None:
    """fpdf2 draws a box for what a font lacks, and says so in its log."""
    description = "Ω 請 ฿ שלום สวัสดี ქართ ✓ 👩‍💻👍🏽 \U00013000 \ue000 \ufffe é ﬁ 1️⃣ Տ த"
    text = words_of(invoice_of(description))
    assert "missing" not in caplog.text
    assert "[egyptian hieroglyph a001]" in text
    assert "[U+E000]".lower() in text.lower()
    assert "\x00" not in text


def test_markup_is_text_and_no_file_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    original: Callable[..., object] = open
    rendered(invoice_of())  # what is imported late is imported now

    def watch(file: object, *args: object, **kwargs: object) -> object:
        opened.append(str(file))
        return original(file, *args, **kwargs)

    monkeypatch.setattr("builtins.open", watch)
    markup = (
        '<b>x</b> 5 <kg & 3 <lb <img src="/etc/hostname"/> '
        "**b** __u__ --s-- [a](https://a.example) {nb}"
    )
    reader = read(invoice_of(markup))
    assert markup.replace(" ", "") in "".join(reader.pages[0].extract_text().split())
    assert not any("hostname" in path for path in opened)
    assert "/Annots" not in reader.pages[0]
    assert not reader.pages[0].images


def test_names_that_try_to_be_html_are_text() -> None:
    name = '"><img src=x onerror=alert(1)>'
    assert name in words_of(invoice_of(buyer=replace(BUYER, name=name)))


@pytest.mark.parametrize("seller_and_buyer", ["W" * 100, "Ж" * 100, "株" * 100])
def test_long_names_are_printed_whole(seller_and_buyer: str) -> None:
    text = "".join(
        text_of(
            invoice_of(
                seller=replace(SELLER, name=seller_and_buyer),
                buyer=replace(BUYER, name=seller_and_buyer),
            )
        ).split()
    )
    assert text.count(seller_and_buyer[0]) >= 200


def test_a_description_without_spaces_wraps_within_its_column() -> None:
    text = text_of(invoice_of("W" * 500))
    assert text.count("W") == 500
    assert max(line.count("W") for line in text.splitlines()) < 40


def test_many_lines_run_over_pages_that_are_all_numbered_and_headed() -> None:
    items = tuple(LineItem(f"Item {n} " + "lorem ipsum " * 20, 100) for n in range(40))
    pages = [
        page.extract_text() for page in read(invoice_of(line_items=items, subtotal=4000)).pages
    ]
    assert len(pages) > 2
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        assert "INV-2026-000042" in page
    assert all("Description" in page for page in pages[:-1])
    joined = "\n".join(pages)
    assert all(f"Item {n} " in joined for n in range(40))


def test_amounts_stand_beside_the_first_line_of_a_description_that_runs_over_pages() -> None:
    first, second, *_ = read(invoice_of("\U00013000" * 500)).pages
    assert "1 €1,200.00 €1,200.00" in " ".join(first.extract_text().split())
    assert "€1,200.00 €1,200.00" not in " ".join(second.extract_text().split())


def test_an_amount_too_wide_for_its_column_is_set_smaller() -> None:
    sizes: dict[str, float] = {}

    def note(text: str, _cm: object, _tm: object, _font: object, size: float) -> None:
        sizes[text.strip()] = size

    items = (LineItem("Support plan", 999_999_999_999, 1000),)
    huge = invoice_of(line_items=items, currency="idr")
    read(huge).pages[0].extract_text(visitor_text=note)
    beside = [size for text, size in sizes.items() if text.startswith("IDR")]
    assert min(beside) < sizes["Support plan"]


def test_a_number_among_right_to_left_words_does_not_part_them() -> None:
    assert _runs("Invoice שלום 42 עולם 7 end") == [
        ("Invoice ", "ltr"),
        ("שלום 42 עולם 7", "rtl"),
        (" end", "ltr"),
    ]


def test_decomposed_letters_are_composed() -> None:
    assert "Café" in text_of(invoice_of("Cafe\u0301"))


def test_a_lone_surrogate_is_a_replacement_character() -> None:
    assert "a\ufffdb" in text_of(invoice_of("a\ud800b"))


def test_reverse_charge_is_noted_with_both_tax_ids() -> None:
    lines = (TaxLine("VAT", "0", 120_000, 0, "reverse_charge"),)
    text = words_of(invoice_of(tax=0, tax_lines=lines))
    assert "VAT 0% on €1,200.00 (reverse charge) €0.00" in text
    assert "Reverse charge: the tax is to be accounted for by the recipient." in text
    assert "DE811907980" in text
    assert "FR40303265045" in text


def test_tax_that_is_not_collected_is_said_to_be() -> None:
    lines = (TaxLine("VAT", None, 120_000, 0, "not_collecting"),)
    text = words_of(invoice_of(tax=0, tax_lines=lines))
    assert "VAT on €1,200.00 (not collected) €0.00" in text
    assert "Tax not collected: the seller is not registered" in text


def test_every_rate_has_its_row_and_their_sum_one() -> None:
    lines = (TaxLine("State tax", "6.25", 1000, 63), TaxLine("County tax", "1.375", 1000, 14))
    text = words_of(invoice_of(subtotal=1000, tax=77, tax_lines=lines, currency="usd"))
    assert (
        "State tax 6.25% on $10.00 $0.63 County tax 1.375% on $10.00 $0.14 Total tax $0.77" in text
    )


def test_where_no_tax_is_collected_none_is_shown() -> None:
    assert "Subtotal €1,200.00 Total (EUR) €1,200.00" in words_of(invoice_of(tax=0, tax_lines=()))


def test_a_sandbox_invoice_says_so_on_every_page() -> None:
    items = tuple(LineItem("lorem ipsum " * 40, 100) for _ in range(20))
    pages = read(invoice_of(mode="sandbox", line_items=items)).pages
    assert len(pages) > 1
    assert all("Sandbox – not a real document" in page.extract_text() for page in pages)


def test_a_void_invoice_says_so() -> None:
    text = text_of(invoice_of(status="void"))
    assert "VOID" in text
    assert "PAID" not in text


def credit_note_of(language: str = "en-US", **changes: object) -> DocumentFacts:
    """One that takes back the whole of `invoice_of`, and whose money went back."""
    invoice = invoice_document(invoice_of())
    note = replace(
        invoice,
        document=replace(
            invoice.document,
            number="CN-2026-000007",
            issued_at=ISSUED + timedelta(days=3),
            language=language,
        ),
        kind="credit_note",
        supplied_at=None,
        settled_at=ISSUED + timedelta(days=3),
        corrects=CorrectedInvoice("INV-2026-000042", ISSUED, in_full=True),
    )
    return replace(note, **changes)  # type: ignore[arg-type]


def test_a_credit_note_says_which_invoice_it_takes_back_and_that_money_went_back() -> None:
    (page,) = PdfReader(io.BytesIO(render_document(credit_note_of()))).pages
    text = " ".join(page.extract_text().split())
    for expected in (
        "Credit note REFUNDED",
        "Credit note number CN-2026-000007",
        "Date of issue November 28, 2026",
        "For invoice INV-2026-000042",
        "VAT 19% on €1,200.00 €228.00 Total (EUR) €1,428.00",
        "Refunded on November 28, 2026 to Visa •••• 4242",
        "This credit note cancels invoice INV-2026-000042 of November 25, 2026 in full.",
    ):
        assert expected in text
    assert "Paid" not in text
    assert "Date of supply" not in text


def test_a_credit_note_without_money_or_about_a_part_says_so() -> None:
    part = CorrectedInvoice("INV-2026-000042", ISSUED, in_full=False)
    view = view_document(credit_note_of(settled_at=None, corrects=part, language="de-DE"))
    assert (view.title, view.stamp, view.payment) == ("Rechnungskorrektur", "Gutgeschrieben", None)
    assert view.notes == (
        "Diese Rechnungskorrektur berichtigt die Rechnung INV-2026-000042 vom 25. November 2026.",
    )


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en-GB", ("Invoice", "25 November 2026", "VAT 19%", "€1,200.00", "Page 1 of 1")),
        ("de-DE", ("Rechnung", "25. November 2026", "USt. 19 %", "1.200,00 €", "Seite 1 von 1")),
        ("fr-FR", ("Facture", "25 novembre 2026", "TVA 19 %", "1 200,00 €", "Page 1 sur 1")),
        ("es-ES", ("Factura", "25 de noviembre de 2026", "IVA 19 %", "1.200,00 €", "de 1")),
        ("pt-BR", ("Fatura", "25 de novembro de 2026", "IVA 19%", "€ 1.200,00", "de 1")),
        ("it-IT", ("Fattura", "25 novembre 2026", "IVA 19%", "1.200,00 €", "di 1")),
        ("nl-NL", ("Factuur", "25 november 2026", "Btw 19%", "€ 1.200,00", "van 1")),
        ("ja-JP", ("請求書", "2026年11月25日", "付加価値税 19%", "€1,200.00", "1 / 1 ページ")),
        ("zh-CN", ("账单", "2026年11月25日", "增值税 19%", "€1,200.00", "第 1 页，共 1 页")),
        ("zh-Hant-TW", ("帳單", "2026年11月25日", "加值稅 19%", "€1,200.00", "共 1 頁")),
    ],
)
def test_words_numbers_and_dates_are_in_the_documents_language_and_no_glyph_is_missing(
    language: str, expected: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    reader = read(invoice_of(language=language, mode="sandbox"))
    text = unicodedata.normalize(
        "NFKC", " ".join(" ".join(p.extract_text() for p in reader.pages).split())
    )
    for part in expected:
        assert unicodedata.normalize("NFKC", part) in text
    assert "missing" not in caplog.text
    assert "[" not in text
    assert str(reader.root_object["/Lang"]) == language
    for english in ("Bill to", "Unit price", "Paid on"):
        assert language == "en-GB" or english not in text


@pytest.mark.parametrize(
    ("number", "label"),
    [
        ("DE811907980", "VAT ID"),
        ("de 811 907 980", "VAT ID"),
        ("CHE-123.456.789 MWST", "VAT ID"),
        ("12-3456789", "Tax ID"),
        ("T1234567890123", "Tax ID"),
    ],
)
def test_a_vat_number_is_told_from_another_tax_number(number: str, label: str) -> None:
    buyer = replace(BUYER, tax_ids=(number,))
    assert (
        f"{label}: {number}" in view_document(invoice_document(invoice_of(buyer=buyer))).buyer.lines
    )


def test_a_document_has_the_sellers_colour() -> None:
    (page,) = read(invoice_of(seller=replace(SELLER, accent="#ff0000"))).pages
    contents = page.get_contents()
    assert contents is not None
    assert re.search(rb"(?<![\d.])1(\.0+)? 0(\.0+)? 0(\.0+)? rg", contents.get_data())


def with_logo(
    picture: Image.Image, form: str = "PNG", **changes: object
) -> tuple[DocumentFacts, bytes]:
    """A document of a seller with this logo, and the logo's file."""
    file = io.BytesIO()
    picture.save(file, form)
    seller = replace(SELLER, logo=Logo("logos/org_1/a.png", *picture.size))
    return invoice_document(invoice_of(seller=seller, **changes)), file.getvalue()  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", [(1200, 120), (400, 100), (200, 600)])
@pytest.mark.parametrize("country", ["FR", "US"])
def test_the_logo_is_on_top_whole_and_unstretched(
    form: str, size: tuple[int, int], country: str
) -> None:
    buyer = replace(BUYER, address=Address(country=country), name="شركة النخيل 株式会社")
    document, logo = with_logo(Image.new("RGB", size, "navy"), form, buyer=buyer)
    content = render_document(document, logo)
    assert content == render_document(document, logo)
    (page,) = PdfReader(io.BytesIO(content)).pages
    (image,) = page.images
    assert image.image is not None
    assert image.image.size == size
    drawn = page.get_contents()
    assert drawn is not None
    placed = re.search(rb"q ([\d.]+) 0 0 ([\d.]+) ([\d.]+) ([\d.]+) cm /I1 Do Q", drawn.get_data())
    assert placed is not None
    width, height, x, y = (float(number) / 72 * 25.4 for number in placed.groups())
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01)
    assert width <= 50.1
    assert height <= 16.1
    assert x == pytest.approx(18, abs=0.1)
    page_height = float(page.mediabox.height) / 72 * 25.4
    assert y + height < page_height - 10
    (plain,) = read(invoice_of(buyer=buyer)).pages
    assert page.extract_text() == plain.extract_text()


@pytest.mark.parametrize("cut", [0, 5, 40, 90])
def test_a_broken_logo_is_left_out_and_logged(cut: int, caplog: pytest.LogCaptureFixture) -> None:
    document, logo = with_logo(Image.effect_noise((200, 100), 50))
    (page,) = PdfReader(io.BytesIO(render_document(document, logo[:cut] or b"<svg/>"))).pages
    assert not page.images
    assert "INV-2026-000042" in page.extract_text()
    assert "a document goes without its logo, which is no picture" in caplog.messages


def test_a_lost_logo_is_left_out() -> None:
    document, _ = with_logo(Image.new("RGB", (200, 100), "navy"))
    (page,) = PdfReader(io.BytesIO(render_document(document, None))).pages
    assert not page.images


def test_a_buyer_of_whom_nothing_is_known_is_no_obstacle() -> None:
    text = words_of(invoice_of(buyer=Buyer(), payment_method=None))
    assert "None" not in text
    assert "Paid on November 25, 2026" in text


@pytest.mark.parametrize(
    ("buyer_country", "seller_country", "width"),
    [("US", "DE", 612), (None, "MX", 612), ("FR", "US", 595), (None, None, 595)],
)
def test_paper_is_that_of_the_buyers_country(
    buyer_country: str | None, seller_country: str | None, width: int
) -> None:
    reader = read(
        invoice_of(
            buyer=replace(BUYER, address=Address(country=buyer_country)),
            seller=replace(SELLER, address=Address(country=seller_country)),
        )
    )
    assert round(float(reader.pages[0].mediabox.width)) == width


def test_dates_are_the_sellers_calendar_days() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert words_of(invoice_of(issued_at=late, paid_at=late)).count("January 1, 2027") == 3


def test_overrides_cannot_turn_text_around() -> None:
    assert "pay 12 only" in words_of(invoice_of("pay \u202e12\u202c only\u200b\u00ad\ufeff"))


@pytest.mark.parametrize(
    "description", ["", " ", "\u200b", "\ud800", "a\x00b\x1b[31m\r\n\tc", "\u202e", "\u0301"]
)
def test_amounts_are_there_whatever_the_description_is(description: str) -> None:
    assert "1 €1,200.00 €1,200.00" in words_of(invoice_of(description))


def test_metadata_name_number_seller_and_language() -> None:
    reader = read(invoice_of())
    assert reader.metadata is not None
    assert reader.metadata.title == "INV-2026-000042"
    assert reader.metadata.author == "Nordlicht Software GmbH"
    assert reader.metadata.creation_date == ISSUED
    assert str(reader.root_object["/Lang"]) == "en-US"


def test_the_same_invoice_is_the_same_bytes_in_another_process() -> None:
    """The order of sets of strings differs from process to process, unless it is asked not to."""
    script = (
        "import hashlib, tests.unit.test_invoice_pdf as t; "
        "pdf = t.rendered(t.invoice_of('請求書 فاتورة Ωμέγα 😀 ✓')); "
        "print(hashlib.sha256(pdf).hexdigest())"
    )
    root = Path(__file__).parents[2]
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            cwd=root,
            env={
                **os.environ,
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": os.pathsep.join((str(root / "layers" / "paylink"), str(root))),
                "TZ": zone,
            },
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(digests) == 1


def test_the_zone_that_an_instant_is_written_in_changes_nothing() -> None:
    elsewhere = ISSUED.astimezone(timezone(timedelta(hours=9)))
    assert rendered(invoice_of(issued_at=elsewhere)) == rendered(invoice_of())


def test_no_font_file_stays_open_when_a_document_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    close = TTFFont.close

    def note(font: TTFFont) -> None:
        closed.append(font.fontkey)
        close(font)

    def fail(_document: FPDF) -> bytearray:
        raise MemoryError

    monkeypatch.setattr(TTFFont, "close", note)
    monkeypatch.setattr(FPDF, "output", fail)
    with pytest.raises(MemoryError):
        rendered(invoice_of("請求書"))
    assert sorted(closed) == ["notocjk", "notosans", "notosansB"]


def test_fonts_are_unpacked_again_where_somebody_tidied_up() -> None:
    rendered(invoice_of())
    shutil.rmtree(_directory())
    assert "Support plan" in text_of(invoice_of())


def test_a_document_in_many_scripts_stays_small() -> None:
    long_text = (
        "ホスティング料金（2026年11月分）東京リージョンのサーバー利用料および保守費用一式 " * 10
    )
    assert len(rendered(invoice_of(long_text + "فاتورة"))) < 150_000


def test_a_view_lists_every_text_it_has() -> None:
    """Fonts are chosen by this list: what isn't in it would be a box on paper."""
    view = view_document(invoice_document(invoice_of(mode="sandbox")))
    assert {view.title, view.number, view.total.value, view.payment, view.sandbox} <= set(
        view.texts()
    )


any_text = st.text(
    st.characters(codec=None, categories=None) | st.sampled_from("\u200d\u0301\u202eا請 [😀\ud800"),
    max_size=60,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(description=any_text, name=any_text, line=any_text)
def test_any_text_gives_a_document_and_always_the_same(
    description: str, name: str, line: str
) -> None:
    invoice = invoice_of(
        description,
        seller=replace(SELLER, name=name),
        buyer=Buyer(name, name, Address(line, line, line, line, line, "FR"), (line,)),
        payment_method=line,
    )
    document = rendered(invoice)
    assert document == rendered(invoice)
    assert "€1,428.00" in PdfReader(io.BytesIO(document)).pages[-1].extract_text()
