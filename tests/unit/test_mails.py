"""What buyers are written: whole in HTML and in plain text, and no stranger's text breaks out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest

from paylink.adapters.ses import message_of
from paylink.domain.credit_note import CreditNote, credit, voided
from paylink.domain.customer import Buyer
from paylink.domain.invoice import Invoice
from paylink.domain.logo import Logo
from paylink.domain.mail import (
    Attachment,
    DocumentLink,
    DocumentMailing,
    EndpointNotice,
    Mail,
    Occasion,
)
from paylink.domain.organization import Address, Organization
from paylink.domain.payment import LineItem, Refund, TaxLine
from paylink.presentation.mails import document_mail, endpoint_mail
from paylink.presentation.texts import TEXTS

NOW = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
SELLER = Organization(
    id="org_1",
    name="Example Studio GmbH",
    address=Address("Lindenstraße 12", None, "Berlin", None, "10969", "DE"),
    tax_ids=("DE123456789",),
    email="billing@example.com",
    time_zone="Europe/Berlin",
)
URL = "https://pay.example.com/documents/inv_1?token=1.2"
PDF = Attachment("INV-2026-000042.pdf", b"%PDF-1.7 \x00\xff")
HOSTILE = (
    '"><img src=x onerror=alert(1)>',
    "</td></table><script>alert(1)</script>",
    "X\r\nBcc: thief@evil.example\r\n\r\n<h1>",
    "X\nSubject: other",
    "{seller} {0} {missing.__class__}",
    "\u202egnp.exe \u0000 \x1b[2J",
    "=?utf-8?q?Bcc:_thief@evil.example?=",
    "W" * 500,
)


def invoice_of(**changes: object) -> Invoice:
    invoice = Invoice(
        id="inv_1",
        number="INV-2026-000042",
        organization_id="org_1",
        mode="live",
        payment_id="pay_1",
        transaction_id="txn_1",
        status="paid",
        currency="eur",
        amount_subtotal=4900,
        tax_amount=931,
        line_items=(LineItem("Consulting, one hour", 4900),),
        tax_lines=(TaxLine("VAT", "19", 4900, 931, "standard_rated"),),
        seller=SELLER,
        buyer=Buyer("anna@example.com", "Anna Example", Address(country="DE")),
        issued_at=NOW,
        paid_at=NOW,
        payment_method="Visa •••• 4242",
        language="en-US",
    )
    return replace(invoice, **changes)  # type: ignore[arg-type]


def mail_of(
    document: Invoice | CreditNote,
    attachment: Attachment | None = PDF,
    occasion: Occasion = "paid",
    *,
    linked: bool = True,
    logo_url: str | None = None,
) -> Mail:
    link = DocumentLink(URL, NOW + timedelta(days=7)) if linked else None
    return document_mail(
        DocumentMailing(document, "anna@example.com", occasion, link, attachment, logo_url)
    )


def note_of(invoice: Invoice, amount: int) -> CreditNote:
    """The credit note of a refund of a part of an invoice."""
    refund = Refund("ref_1", invoice.transaction_id, amount, "succeeded", NOW, "re_1")
    return credit(refund, invoice, (), 2026, 7, NOW)


def received(mail: Mail) -> EmailMessage:
    """The message as a mail program reads it."""
    sent = message_of(mail, "receipts@example.com").as_bytes()
    message = message_from_bytes(sent, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


class Seen(HTMLParser):
    """The text that a reader sees, and the tags that make it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.images += [dict(attrs)] if tag == "img" else []
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_both_forms_say_all_that_the_invoice_says() -> None:
    mail = mail_of(invoice_of())
    seen = Seen(mail.html)
    for part in (
        *("Example Studio GmbH", "Anna Example", "Consulting, one hour", "INV-2026-000042"),
        *("€49.00", "€9.31", "€58.31", "Visa •••• 4242", "DE123456789", "November 26, 2026"),
        *("billing@example.com", "December 3, 2026", "attached"),
    ):
        assert part in mail.text, part
        assert part in seen.text, part
    assert URL in mail.text
    assert seen.links == [URL]
    assert "Sandbox" not in mail.text


def test_without_the_pdf_nothing_is_said_to_be_attached() -> None:
    mail = mail_of(invoice_of(), None)
    assert "attached" not in mail.text
    assert "attached" not in mail.html
    assert URL in mail.text


def test_a_receipt_and_an_invoice_that_was_asked_for_differ() -> None:
    assert mail_of(invoice_of()).subject == "Your receipt from Example Studio GmbH"
    again = mail_of(invoice_of(), occasion="asked_for")
    assert again.subject == "Invoice INV-2026-000042 from Example Studio GmbH"


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_has_its_own_words(language: str) -> None:
    mail = mail_of(invoice_of(language=language))
    words = TEXTS[language]  # type: ignore[index]
    assert mail.subject == words.mail_receipt_subject.format(seller=SELLER.name)
    for part in (words.receipt_download, words.mail_attached, words.mail_summary):
        assert part in mail.text
        assert part in Seen(mail.html).text
    assert f'<html lang="{language}' in mail.html


def test_the_button_has_the_sellers_colour() -> None:
    assert "background:#1f5f4f" in mail_of(invoice_of()).html
    coloured = mail_of(invoice_of(seller=replace(SELLER, accent="#7a1fa2"))).html
    assert coloured.count("background:#7a1fa2") == 2
    assert "#1f5f4f" not in coloured


@pytest.mark.parametrize("name", [SELLER.name, *HOSTILE])
def test_the_logo_stands_for_the_sellers_name(name: str) -> None:
    seller = replace(SELLER, name=name, logo=Logo("logos/org_1/a.png", 500, 100))
    address = "https://pay.example.com/logos/org_1/a.png"
    mail = mail_of(invoice_of(seller=seller), logo_url=address)
    (image,) = Seen(mail.html).images
    assert (image["src"], image["alt"]) == (address, name)
    assert (image["width"], image["height"]) == ("200", "40")
    assert set(image) == {"src", "alt", "width", "height", "class", "style"}
    assert not Seen(mail_of(invoice_of(seller=replace(seller, logo=None))).html).images


def test_the_sandbox_says_so() -> None:
    mail = mail_of(invoice_of(mode="sandbox"))
    assert TEXTS["en"].sandbox_document in mail.text
    assert TEXTS["en"].sandbox_document in Seen(mail.html).text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_and_descriptions_are_text(hostile: str) -> None:
    mail = mail_of(
        invoice_of(
            seller=replace(SELLER, name=hostile, email=hostile),
            buyer=Buyer("anna@example.com", hostile),
            line_items=(LineItem(hostile, 4900),),
        )
    )
    tags = Seen(mail_of(invoice_of()).html).tags
    assert Seen(mail.html).tags <= tags
    message = received(mail)
    assert message["To"] == "anna@example.com"
    assert message["From"].addresses[0].addr_spec == "receipts@example.com"
    assert [name for name in message if name.lower() in {"bcc", "cc", "reply-to"}] == []
    assert message.get_all("Subject") == [mail.subject]
    assert len(mail.subject) <= 200
    assert mail.subject.isprintable()
    (pdf,) = message.iter_attachments()
    assert pdf.get_content() == PDF.content


def test_the_message_has_text_first_then_html_and_the_pdf() -> None:
    mail = mail_of(invoice_of(language="ja-JP"))
    message = received(mail)
    assert message.get_content_type() == "multipart/mixed"
    alternative, pdf = message.iter_parts()
    text, html = alternative.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().split() == mail.text.split()
    assert html.get_content().splitlines() == mail.html.splitlines()
    assert (pdf.get_content_type(), pdf.get_filename()) == ("application/pdf", PDF.file_name)
    assert str(message["Reply-To"]) == "billing@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["From"].addresses[0].display_name == SELLER.name
    assert all(len(line) < 998 for line in message.as_bytes().splitlines())


def test_a_credit_note_says_what_goes_back_and_when_to_expect_it() -> None:
    mail = mail_of(note_of(invoice_of(), 1190), occasion="refunded")
    words = TEXTS["en"]
    assert mail.subject == "Credit note CN-2026-000007 from Example Studio GmbH"
    for text in (mail.text, Seen(mail.html).text):
        assert "CN-2026-000007 for €11.90" in text
        assert "INV-2026-000042" in text
        assert words.mail_refund_detail in text
        assert words.receipt_download_credit_note in text
        assert words.receipt_download not in text
    assert URL in Seen(mail.html).links


@pytest.mark.parametrize("language", TEXTS)
def test_a_void_credit_note_leads_to_no_document(language: str) -> None:
    invoice = invoice_of(language=f"{language}-DE" if language != "zh-Hant" else "zh-Hant-TW")
    void = voided(note_of(invoice, 1190), NOW)
    mail = mail_of(void, None, "refund_failed", linked=False)
    words = TEXTS[language]  # type: ignore[index]
    assert mail.subject == words.mail_credit_note_void_subject.format(
        number=void.number, seller=SELLER.name
    )
    detail = words.mail_credit_note_void_detail.format(seller=SELLER.name)
    for text in (mail.text, Seen(mail.html).text):
        assert detail in text
        assert words.mail_refund_detail not in text
        assert words.receipt_download_credit_note not in text
    assert Seen(mail.html).links == []
    assert mail.attachments == ()


# -- to owners

NOTICE = EndpointNotice(
    SELLER, "live", "ops@example.com", "wh_1", "https://hooks.example.com/a?b=<c>", "failing"
)
COUNTRIES = {
    "en": "GB",
    "de": "DE",
    "fr": "FR",
    "es": "ES",
    "pt": "PT",
    "it": "IT",
    "nl": "NL",
    "ja": "JP",
    "zh": "CN",
    "zh-Hant": "TW",
}


@pytest.mark.parametrize("language", TEXTS)
def test_an_owner_is_told_in_the_language_of_their_country(language: str) -> None:
    owner = replace(SELLER, address=Address(country=COUNTRIES[language]))
    words = TEXTS[language]  # type: ignore[index]
    for reason, intro in (
        ("failing", words.mail_endpoint_failing),
        ("gone", words.mail_endpoint_gone),
    ):
        mail = endpoint_mail(replace(NOTICE, owner=owner, reason=reason))  # type: ignore[arg-type]
        assert mail.subject == words.mail_endpoint_subject
        said = intro.format(url=NOTICE.url)
        assert said in mail.text
        assert said in Seen(mail.html).text
        for call in ("PATCH /webhooks/wh_1", "POST /webhooks/wh_1/resend"):
            assert call in mail.text
            assert call in Seen(mail.html).text


def test_a_notice_from_the_sandbox_says_so() -> None:
    assert TEXTS["de"].sandbox not in endpoint_mail(NOTICE).text
    mail = endpoint_mail(replace(NOTICE, mode="sandbox"))
    assert TEXTS["de"].sandbox in mail.text
    assert TEXTS["de"].sandbox in Seen(mail.html).text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_addresses_and_names_in_a_notice_are_text(hostile: str) -> None:
    mail = endpoint_mail(replace(NOTICE, owner=replace(SELLER, name=hostile), url=hostile))
    assert Seen(mail.html).tags <= Seen(endpoint_mail(NOTICE).html).tags
    assert Seen(mail.html).links == []
    message = received(mail)
    assert message["To"] == "ops@example.com"
    assert [name for name in message if name.lower() in {"bcc", "cc", "reply-to"}] == []
