"""What an invoice or a credit note states, whichever of the two it is: the source of its PDF."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from paylink.domain.credit_note import CreditNote
from paylink.domain.document import Document
from paylink.domain.invoice import Invoice


@dataclass(frozen=True)
class CorrectedInvoice:
    """The invoice that a credit note is about."""

    number: str
    issued_at: datetime
    in_full: bool
    """Nothing of the invoice is left."""


@dataclass(frozen=True)
class DocumentFacts:
    """One document as it was issued, and what its kind makes of it."""

    document: Document
    kind: Literal["invoice", "credit_note"]
    supplied_at: datetime | None
    """None: the document doesn't say."""
    settled_at: datetime | None
    """When the money came, or went back; None: none has moved."""
    void: bool
    corrects: CorrectedInvoice | None = None


def document_facts(document: Invoice | CreditNote) -> DocumentFacts:
    if isinstance(document, Invoice):
        return invoice_document(document)
    return credit_note_document(document)


def invoice_document(invoice: Invoice) -> DocumentFacts:
    return DocumentFacts(
        invoice,
        "invoice",
        supplied_at=invoice.paid_at,
        settled_at=invoice.paid_at,
        void=invoice.status == "void",
    )


def credit_note_document(note: CreditNote) -> DocumentFacts:
    void = note.status == "void"
    return DocumentFacts(
        note,
        "credit_note",
        supplied_at=None,
        settled_at=None if void else note.refunded_at,
        void=void,
        corrects=CorrectedInvoice(note.invoice_number, note.invoice_issued_at, note.in_full),
    )
