"""A logo is one small whole PNG, and is seen on pages, documents and mails with nothing fetched."""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import cast

import pytest
from babel import Locale
from PIL import Image
from pypdf import PdfReader

from paylink.domain.logo import MOST_BYTES, TALLEST, WIDEST, Logo, logo_of
from paylink.presentation.document_pdf import render_document
from paylink.presentation.documents import invoice_document
from paylink.presentation.pages import ended_page, payable_page
from tests.unit.test_invoice_pdf import invoice_of
from tests.unit.test_mails import invoice_of as mailed_invoice
from tests.unit.test_mails import mail_of, received
from tests.unit.test_pages import CHECKOUT, EN, SELLER, Reader, a_payment, policy_of

ROOT = Path(__file__).parents[2]
SAMPLE = (ROOT / "local/static/logo.png").read_bytes()


def png_of(width: int, height: int, mode: str = "RGBA") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height), 1).save(out, "PNG")
    return out.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    sum_ = zlib.crc32(kind + content).to_bytes(4)
    return len(content).to_bytes(4) + kind + content + sum_


def test_its_id_follows_from_its_bytes_and_its_size_is_read() -> None:
    logo = logo_of(SAMPLE)
    assert logo == logo_of(bytes(SAMPLE))
    assert (logo.width, logo.height) == Image.open(io.BytesIO(SAMPLE)).size
    assert logo.id != logo_of(png_of(logo.width, logo.height)).id
    assert len(logo.id) == 32


@pytest.mark.parametrize("size", [(1, 1), (WIDEST, 1), (1, TALLEST), (WIDEST, TALLEST)])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_a_whole_png_of_any_kind_and_allowed_size_is_one(size: tuple[int, int], mode: str) -> None:
    logo = logo_of(png_of(*size, mode))
    assert (logo.width, logo.height) == size


@pytest.mark.parametrize(
    ("png", "why"),
    [
        (b"", "no PNG"),
        (b"\xff\xd8\xff\xe0 JFIF", "no PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no PNG"),
        (SAMPLE[:8], "damaged"),
        (SAMPLE[:-1], "damaged"),
        (SAMPLE[:-12], "damaged"),
        (SAMPLE + b"x", "damaged"),
        (SAMPLE[:100] + bytes([SAMPLE[100] ^ 1]) + SAMPLE[101:], "damaged"),
        (SAMPLE[:8] + chunk(b"IDAT", b"") + SAMPLE[8:], "damaged"),
        (SAMPLE[:33] + chunk(b"IDAT", b"no pixels") + chunk(b"IEND", b""), "damaged"),
        (png_of(WIDEST + 1, 1), f"{WIDEST + 1} × 1 pixels"),
        (png_of(1, TALLEST + 1), f"1 × {TALLEST + 1} pixels"),
        (SAMPLE[:-12] + chunk(b"tEXt", b"x" * MOST_BYTES) + SAMPLE[-12:], "bytes"),
    ],
)
def test_nothing_else_is(png: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        logo_of(png)


def test_it_fits_its_box_and_keeps_its_shape() -> None:
    assert Logo("x", 400, 100).within(200, 56) == pytest.approx((200, 50))
    assert Logo("x", 100, 100).within(200, 56) == pytest.approx((56, 56))


def test_pages_have_it_within_them_and_stay_small() -> None:
    seller = replace(SELLER, logo=logo_of(SAMPLE))
    for page in (
        payable_page(a_payment(), seller, EN, [CHECKOUT], logo=SAMPLE),
        ended_page(a_payment(status="canceled"), seller, Locale.parse("ar"), logo=SAMPLE),
    ):
        (picture,) = Reader(page).all("img")
        assert (picture["src"] or "").startswith("data:image/png;base64,")
        # The name stands beside it as text, so that it has nothing to add for those who can't see.
        assert picture["alt"] == ""
        assert (picture["width"], picture["height"]) == ("162", "56")
        assert policy_of(page)["img-src"] == "data:"


def test_the_largest_logo_leaves_a_page_within_its_budget() -> None:
    largest = SAMPLE[:-12] + chunk(b"tEXt", b"x" * (MOST_BYTES - len(SAMPLE) - 12)) + SAMPLE[-12:]
    seller = replace(SELLER, logo=logo_of(largest))
    page = payable_page(
        a_payment(url="https://pay.example.com/pay/pay_" + "x" * 26),
        seller,
        EN,
        [CHECKOUT],
        logo=largest,
    )
    assert len(largest) == MOST_BYTES
    assert len(page.html.encode()) < 30_000


def test_a_document_shows_the_picture_it_was_issued_with_and_does_without_a_lost_one() -> None:
    invoice = invoice_of()
    named = replace(invoice, seller=replace(invoice.seller, logo=logo_of(SAMPLE)))
    with_logo = PdfReader(io.BytesIO(render_document(invoice_document(named, SAMPLE))))
    (picture,) = with_logo.pages[0].images
    assert picture.image is not None
    assert picture.image.size == (named.seller.logo.width, named.seller.logo.height)  # type: ignore[union-attr]
    lost = PdfReader(io.BytesIO(render_document(invoice_document(named, None))))
    assert not lost.pages[0].images
    for reader in (with_logo, lost):
        assert "INV-2026-000042" in reader.pages[0].extract_text()
    assert render_document(invoice_document(named, SAMPLE)) == render_document(
        invoice_document(named, SAMPLE)
    )


def test_a_mail_brings_it_along() -> None:
    invoice = mailed_invoice()
    named = replace(invoice, seller=replace(invoice.seller, logo=logo_of(SAMPLE)))
    mail = mail_of(named, logo=SAMPLE)
    assert 'src="cid:logo"' in mail.html
    message = received(mail)
    pictures = [
        cast(EmailMessage, part)
        for part in message.walk()
        if part.get_content_maintype() == "image"
    ]
    assert [(p["content-id"], p.get_content()) for p in pictures] == [("<logo>", SAMPLE)]
    assert [part.get_content_type() for part in message.iter_attachments()] == ["application/pdf"]
    body = message.get_body(("html",))
    assert body is not None
    assert body.get_content().splitlines() == mail.html.splitlines()
    assert "cid:" not in mail_of(named).html
