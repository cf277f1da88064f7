"""What an invoice says, as text: labels, amounts, dates and notes in the order they are read.

Kept apart from how it looks, so that wording and rules (which date is the supply's, when a note on
reverse charge is due) can be read and tested without a PDF. Words are English, names of months and
countries included, so that no line mixes languages; numbers and amounts are the locale's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal, format_percent

from paylink.domain.invoice import Invoice
from paylink.domain.organization import Address
from paylink.domain.tax import TaxLine
from paylink.presentation.formatting import format_day, format_money

LANGUAGE: Final = "en"
"""Of the labels."""

# CLDR's territories whose paper is US Letter; all others use A4.
_LETTER_COUNTRIES: Final = frozenset("BZ CA CL CO CR GT MX NI PA PH PR SV US VE".split())
_CITY_BEFORE_CODE: Final = frozenset("AU BR CA GB HK IE IN KR MX NZ PR SG TW US ZA".split())

# Stripe's taxability reasons that a reader has to be told of.
_NOTES: Final = {
    "reverse_charge": "Reverse charge: the tax is to be accounted for by the recipient.",
    "not_collecting": "Tax not collected: the seller is not registered for tax at the buyer's "
    "location.",
    "customer_exempt": "Tax exempt: the customer is exempt from this tax.",
    "product_exempt": "Tax exempt: this supply is exempt from this tax.",
    "product_exempt_holiday": "Tax exempt: this supply falls under a tax holiday.",
    "portion_product_exempt": "A part of this supply is exempt from this tax.",
    "not_subject_to_tax": "This supply is not subject to this tax.",
    "not_supported": "Tax was not calculated: the buyer's location is not supported.",
    "zero_rated": "Zero-rated supply.",
}
_REASONS: Final = {
    "reverse_charge": "reverse charge",
    "not_collecting": "not collected",
    "customer_exempt": "exempt",
    "product_exempt": "exempt",
    "product_exempt_holiday": "exempt",
    "not_subject_to_tax": "not taxable",
    "not_supported": "not calculated",
    "zero_rated": "zero-rated",
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
class InvoiceView:
    """The texts of an invoice, as they came: not yet made printable."""

    title: str
    number: str
    paper: str
    """``A4`` or ``letter``."""
    facts: tuple[Row, ...]
    seller: Party
    buyer: Party
    columns: LineRow
    lines: tuple[LineRow, ...]
    sums: tuple[Row, ...]
    total: Row
    status: str
    """One word for the badge: ``Paid`` or ``Void``."""
    payment: str
    notes: tuple[str, ...]
    page_label: str
    """With ``{page}`` and ``{pages}`` in it."""
    sandbox: str | None
    """The warning on a document of the sandbox."""

    def texts(self) -> Iterator[str]:
        """Every text that the document may show."""
        yield from (self.title, self.number, self.status, self.payment, *self.notes)
        yield from (self.page_label, self.sandbox or "")
        for row in (*self.facts, *self.sums, self.total):
            yield from (row.label, row.value)
        for party in (self.seller, self.buyer):
            yield from (party.heading, party.name, *party.lines)
        for line in (self.columns, *self.lines):
            yield from (line.description, line.quantity, line.unit_price, line.amount)


def view_invoice(invoice: Invoice, locale: Locale) -> InvoiceView:
    """The invoice's texts; amounts in the invoice's currency as `format_money` writes them."""

    def money(amount: int) -> str:
        return format_money(amount, invoice.currency, locale)

    seller, buyer = invoice.seller, invoice.buyer
    words = _english_of(locale)
    paid_day = format_day(invoice.paid_at.astimezone(ZoneInfo(seller.time_zone)), words)
    method = f" by {invoice.payment_method}" if invoice.payment_method else ""
    tax_rows = tuple(
        Row(_tax_label(line, money(line.taxable_amount), locale), money(line.amount))
        for line in invoice.tax_lines
    )
    untaxed = not (tax_rows or invoice.tax_amount)
    if not untaxed and (len(tax_rows) != 1 or invoice.tax_lines[0].amount != invoice.tax_amount):
        tax_rows = (*tax_rows, Row("Total tax" if tax_rows else "Tax", money(invoice.tax_amount)))
    reasons = dict.fromkeys(line.reason for line in invoice.tax_lines if line.reason)
    return InvoiceView(
        title="Invoice",
        number=invoice.number,
        paper="letter" if _paper_country(invoice) in _LETTER_COUNTRIES else "A4",
        facts=(
            Row("Invoice number", invoice.number),
            Row("Date of issue", format_day(invoice.issue_date, words)),
            Row("Date of supply", paid_day),
        ),
        seller=Party(
            "From",
            seller.name,
            (
                *_address_lines(seller.address, words),
                *(f"Tax ID: {tax_id}" for tax_id in seller.tax_ids),
                *(text for text in (seller.email, seller.website) if text),
            ),
        ),
        buyer=Party(
            "Bill to",
            buyer.name or buyer.email or "",
            (
                *_address_lines(buyer.address, words),
                *(f"Tax ID: {tax_id}" for tax_id in buyer.tax_ids),
                *((buyer.email,) if buyer.email and buyer.name else ()),
            ),
        ),
        columns=LineRow("Description", "Quantity", "Unit price", "Amount"),
        lines=tuple(
            LineRow(
                item.description,
                format_decimal(item.quantity, locale=locale),
                money(item.unit_amount),
                money(item.unit_amount * item.quantity),
            )
            for item in invoice.line_items
        ),
        sums=(Row("Subtotal", money(invoice.amount_subtotal)), *tax_rows),
        total=Row(f"Total ({invoice.currency.upper()})", money(invoice.amount_total)),
        status="Void" if invoice.status == "void" else "Paid",
        payment=f"Paid on {paid_day}{method}",
        notes=tuple(_NOTES[reason] for reason in reasons if reason in _NOTES),
        page_label="Page {page} of {pages}",
        sandbox=None if invoice.mode == "live" else "Sandbox – not a real invoice",
    )


def _english_of(locale: Locale) -> Locale:
    """English as it is written in the locale's country: ``25 November 2026`` in Germany."""
    try:
        return Locale(LANGUAGE, locale.territory)
    except UnknownLocaleError:
        return Locale(LANGUAGE)


def _paper_country(invoice: Invoice) -> str:
    """The buyer prints it: their country decides, the seller's where theirs is unknown."""
    return (invoice.buyer.address.country or invoice.seller.address.country or "").upper()


def _tax_label(line: TaxLine, taxable: str, locale: Locale) -> str:
    """``VAT 19% on €100.00``, with a word on why where it isn't the usual rate."""
    rate = _percentage(line.percentage, locale)
    reason = _REASONS.get(line.reason or "")
    label = " ".join(part for part in (line.label, rate) if part)
    return f"{label} on {taxable}" + (f" ({reason})" if reason else "")


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
