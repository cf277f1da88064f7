"""What an invoice or a credit note states, whichever of the two it is: the source of its PDF."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from paylink.domain.credit_note import CreditNote
from paylink.domain.customer import Buyer
from paylink.domain.invoice import Invoice
from paylink.domain.organization import Mode, Organization
from paylink.domain.payment import LineItem
from paylink.domain.tax import TaxLine


@dataclass(frozen=True)
class CorrectedInvoice:
    """The invoice that a credit note is about."""

    number: str
    issued_at: datetime
    in_full: bool
    """Nothing of the invoice is left."""


@dataclass(frozen=True)
class DocumentFacts:
    """One document as it was issued; amounts in minor units of ``currency``, a credit note's
    positive as well."""

    kind: Literal["invoice", "credit_note"]
    number: str
    mode: Mode
    language: str
    """A tag of `paylink.domain.language`: ``de-AT``."""
    currency: str
    amount_subtotal: int
    tax_amount: int
    line_items: tuple[LineItem, ...]
    tax_lines: tuple[TaxLine, ...]
    seller: Organization
    buyer: Buyer
    issued_at: datetime
    supplied_at: datetime | None
    """None: the document doesn't say."""
    settled_at: datetime | None
    """When the money came, or went back; None: none has moved."""
    payment_method: str | None
    """As printed: ``Visa •••• 4242``."""
    void: bool = False
    corrects: CorrectedInvoice | None = None

    @property
    def amount_total(self) -> int:
        return self.amount_subtotal + self.tax_amount


def invoice_document(invoice: Invoice) -> DocumentFacts:
    return DocumentFacts(
        kind="invoice",
        number=invoice.number,
        mode=invoice.mode,
        language=invoice.language,
        currency=invoice.currency,
        amount_subtotal=invoice.amount_subtotal,
        tax_amount=invoice.tax_amount,
        line_items=invoice.line_items,
        tax_lines=invoice.tax_lines,
        seller=invoice.seller,
        buyer=invoice.buyer,
        issued_at=invoice.issued_at,
        supplied_at=invoice.paid_at,
        settled_at=invoice.paid_at,
        payment_method=invoice.payment_method,
        void=invoice.status == "void",
    )


def credit_note_document(note: CreditNote) -> DocumentFacts:
    void = note.status == "void"
    return DocumentFacts(
        kind="credit_note",
        number=note.number,
        mode=note.mode,
        language=note.language,
        currency=note.currency,
        amount_subtotal=note.amount_subtotal,
        tax_amount=note.tax_amount,
        line_items=note.line_items,
        tax_lines=note.tax_lines,
        seller=note.seller,
        buyer=note.buyer,
        issued_at=note.issued_at,
        supplied_at=None,
        settled_at=None if void else note.refunded_at,
        payment_method=note.payment_method,
        void=void,
        corrects=CorrectedInvoice(note.invoice_number, note.invoice_issued_at, note.in_full),
    )
