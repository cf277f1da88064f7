"""What a document says, as text: labels, amounts, dates and notes in the order they are read.

Kept apart from how it looks, so that wording and rules (when a note on reverse charge is due, which
paper the buyer has) can be read and tested without a PDF.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.numbers import format_decimal, format_percent

from paylink.domain.document import Document
from paylink.domain.logo import Logo
from paylink.domain.organization import Address
from paylink.domain.tax import TaxLine
from paylink.presentation.documents import DocumentFacts
from paylink.presentation.formatting import format_day, format_money, locale_named
from paylink.presentation.texts import Texts, texts_in

# CLDR's territories whose paper is US Letter; all others use A4.
_LETTER_COUNTRIES: Final = frozenset("BZ CA CL CO CR GT MX NI PA PH PR SV US VE".split())
_CITY_BEFORE_CODE: Final = frozenset("AU BR CA GB HK IE IN KR MX NZ PR SG TW US ZA".split())

# A number with the country in front of it, as the EU, the United Kingdom, Norway and Switzerland
# write those of their VAT.
_VAT_ID: Final = re.compile(
    r"(AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|GB|HR|HU|IE|IT|LT|LU|LV|MT|NL|NO|PL|PT|RO|SE|SI|SK|XI)"
    r"[0-9A-Z+*]{5,}|CHE[0-9]{9}(MWST|TVA|IVA)?"
)

# Stripe's taxability reasons that a reader has to be told of.
_NOTES: Final[Mapping[str, Callable[[Texts], str]]] = {
    "reverse_charge": lambda t: t.note_reverse_charge,
    "not_collecting": lambda t: t.note_not_collecting,
    "customer_exempt": lambda t: t.note_customer_exempt,
    "product_exempt": lambda t: t.note_product_exempt,
    "product_exempt_holiday": lambda t: t.note_tax_holiday,
    "portion_product_exempt": lambda t: t.note_partly_exempt,
    "not_subject_to_tax": lambda t: t.note_not_taxable,
    "not_supported": lambda t: t.note_not_calculated,
    "zero_rated": lambda t: t.note_zero_rated,
}
_REASONS: Final[Mapping[str, Callable[[Texts], str]]] = {
    "reverse_charge": lambda t: t.reason_reverse_charge,
    "not_collecting": lambda t: t.reason_not_collecting,
    "customer_exempt": lambda t: t.reason_exempt,
    "product_exempt": lambda t: t.reason_exempt,
    "product_exempt_holiday": lambda t: t.reason_exempt,
    "not_subject_to_tax": lambda t: t.reason_not_taxable,
    "not_supported": lambda t: t.reason_not_calculated,
    "zero_rated": lambda t: t.reason_zero_rated,
}
# Names that the provider gives taxes in English, whatever the buyer reads.
_TAX_NAMES: Final[Mapping[str, Callable[[Texts], str]]] = {
    "vat": lambda t: t.vat_name,
    "gst": lambda t: t.gst_name,
    "sales tax": lambda t: t.sales_tax_name,
    "jct": lambda t: t.consumption_tax_name,
    "consumption tax": lambda t: t.consumption_tax_name,
    "tax": lambda t: t.tax,
}


@dataclass(frozen=True)
class Row:
    """A label and what belongs to it."""

    label: str
    value: str


@dataclass(frozen=True)
class LineRow:
    """One line item: what, how many, at what price before tax, and the product of both."""

    description: str
    quantity: str
    unit_price: str
    amount: str


@dataclass(frozen=True)
class Party:
    """Seller or buyer: the heading, the name and the lines below it."""

    heading: str
    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class DocumentView:
    """The texts of a document, as they came: not yet made printable."""

    title: str
    number: str
    language: str
    """The tag of its words: ``de-AT``."""
    locale: Locale
    """Of its numbers and dates."""
    accent: str | None
    """The seller's colour."""
    logo: Logo | None
    paper: str
    """``A4`` or ``letter``."""
    facts: tuple[Row, ...]
    seller: Party
    buyer: Party
    columns: LineRow
    lines: tuple[LineRow, ...]
    sums: tuple[Row, ...]
    total: Row
    stamp: str
    """A word or two for the badge: ``Paid``, ``Void``, ``Refunded``."""
    void: bool
    payment: str | None
    """When and how money moved."""
    notes: tuple[str, ...]
    page_label: str
    """With ``{page}`` and ``{pages}`` in it."""
    sandbox: str | None
    """The warning on a document of the sandbox."""

    def texts(self) -> Iterator[str]:
        """Every text that the document may show."""
        yield from (self.title, self.number, self.stamp, self.payment or "", *self.notes)
        yield from (self.page_label, self.sandbox or "")
        for row in (*self.facts, *self.sums, self.total):
            yield from (row.label, row.value)
        for party in (self.seller, self.buyer):
            yield from (party.heading, party.name, *party.lines)
        for line in (self.columns, *self.lines):
            yield from (line.description, line.quantity, line.unit_price, line.amount)


def view_document(facts: DocumentFacts) -> DocumentView:
    """The document's texts in its language; amounts in its currency as `format_money` has them."""
    document = facts.document
    locale = locale_named(document.language)
    t = texts_in(locale)
    seller, buyer = document.seller, document.buyer

    def money(amount: int) -> str:
        return format_money(amount, document.currency, locale)

    def day(moment: datetime) -> str:
        return format_day(moment.astimezone(ZoneInfo(seller.time_zone)), locale)

    return DocumentView(
        title=t.invoice if facts.kind == "invoice" else t.credit_note,
        number=document.number,
        language=document.language,
        locale=locale,
        accent=seller.accent,
        logo=seller.logo,
        paper="letter" if _paper_country(document) in _LETTER_COUNTRIES else "A4",
        facts=tuple(_facts(facts, t, day)),
        seller=Party(
            t.seller,
            seller.name,
            (
                *_address_lines(seller.address, locale),
                *(_tax_id(number, t) for number in seller.tax_ids),
                *(text for text in (seller.email, seller.website) if text),
            ),
        ),
        buyer=Party(
            t.buyer,
            buyer.name or buyer.email or "",
            (
                *_address_lines(buyer.address, locale),
                *(_tax_id(number, t) for number in buyer.tax_ids),
                *((buyer.email,) if buyer.email and buyer.name else ()),
            ),
        ),
        columns=LineRow(t.description, t.quantity, t.unit_price, t.amount),
        lines=tuple(
            LineRow(
                item.description,
                format_decimal(item.quantity, locale=locale),
                money(item.unit_amount),
                money(item.unit_amount * item.quantity),
            )
            for item in document.line_items
        ),
        sums=(Row(t.subtotal, money(document.amount_subtotal)), *_taxes(document, t, locale)),
        total=Row(
            t.total_in.format(currency=document.currency.upper()), money(document.amount_total)
        ),
        stamp=_stamp(facts, t),
        void=facts.void,
        payment=_payment(facts, t, day),
        notes=tuple(_notes(facts, t, day)),
        page_label=t.page_of,
        sandbox=None if document.mode == "live" else t.sandbox_document,
    )


def _facts(facts: DocumentFacts, t: Texts, day: Callable[[datetime], str]) -> Iterator[Row]:
    label = t.invoice_number if facts.kind == "invoice" else t.credit_note_number
    yield Row(label, facts.document.number)
    yield Row(t.issue_date, day(facts.document.issued_at))
    if facts.supplied_at:
        yield Row(t.supply_date, day(facts.supplied_at))
    if facts.corrects:
        yield Row(t.for_invoice, facts.corrects.number)


def _taxes(document: Document, t: Texts, locale: Locale) -> Iterator[Row]:
    for line in document.tax_lines:
        yield Row(
            _tax_label(
                line, format_money(line.taxable_amount, document.currency, locale), t, locale
            ),
            format_money(line.amount, document.currency, locale),
        )
    if not (document.tax_lines or document.tax_amount):
        return
    if len(document.tax_lines) != 1 or document.tax_lines[0].amount != document.tax_amount:
        label = t.total_tax if document.tax_lines else t.tax
        yield Row(label, format_money(document.tax_amount, document.currency, locale))


def _stamp(facts: DocumentFacts, t: Texts) -> str:
    if facts.void:
        return t.stamp_void
    if facts.kind == "invoice":
        return t.stamp_paid
    return t.stamp_refunded if facts.settled_at else t.stamp_credited


def _payment(facts: DocumentFacts, t: Texts, day: Callable[[datetime], str]) -> str | None:
    if facts.settled_at is None:
        return None
    date, method = day(facts.settled_at), facts.document.payment_method
    plain, by = (
        (t.paid_on, t.paid_on_by) if facts.kind == "invoice" else (t.refunded_on, t.refunded_on_to)
    )
    return by.format(date=date, method=method) if method else plain.format(date=date)


def _notes(facts: DocumentFacts, t: Texts, day: Callable[[datetime], str]) -> Iterator[str]:
    if facts.corrects:
        about = t.voids_invoice if facts.corrects.in_full else t.corrects_invoice
        yield about.format(number=facts.corrects.number, date=day(facts.corrects.issued_at))
    if facts.void and facts.kind == "invoice":
        yield t.void_note
    for reason in dict.fromkeys(line.reason or "" for line in facts.document.tax_lines):
        if reason in _NOTES:
            yield _NOTES[reason](t)


def _paper_country(document: Document) -> str:
    """The buyer prints it: their country decides, the seller's where theirs is unknown."""
    return (document.buyer.address.country or document.seller.address.country or "").upper()


def _tax_label(line: TaxLine, taxable: str, t: Texts, locale: Locale) -> str:
    """``VAT 19% on €100.00``, with a word on why where it isn't the usual rate."""
    named = _TAX_NAMES.get(line.label.strip().lower())
    rate = _percentage(line.percentage, locale)
    tax = " ".join(part for part in (named(t) if named else line.label, rate) if part)
    reason = _REASONS.get(line.reason or "")
    if reason:
        return t.tax_on_because.format(tax=tax, amount=taxable, reason=reason(t))
    return t.tax_on.format(tax=tax, amount=taxable)


def _tax_id(number: str, t: Texts) -> str:
    compact = re.sub(r"[\s.-]", "", number).upper()
    return (t.vat_id if _VAT_ID.fullmatch(compact) else t.tax_id).format(number=number)


def _percentage(percentage: str | None, locale: Locale) -> str:
    """``7.75`` as ``7.75%`` in the locale, with as many decimals as there are."""
    if percentage is None:
        return ""
    try:
        share = Decimal(percentage) / 100
    except InvalidOperation:
        return percentage
    if not share.is_finite():
        return percentage
    return format_percent(share.normalize(), locale=locale, decimal_quantization=False)


def _address_lines(address: Address, locale: Locale) -> tuple[str, ...]:
    country = (address.country or "").upper()
    if country in _CITY_BEFORE_CODE:
        region = " ".join(part for part in (address.state, address.postal_code) if part)
        place = [", ".join(part for part in (address.city, region) if part)]
    else:
        place = [" ".join(part for part in (address.postal_code, address.city) if part)]
        place.append(address.state or "")
    name = str(locale.territories.get(country, country))
    return tuple(line for line in (address.line1, address.line2, *place, name) if line)
