"""Keeps the credit notes of a payment as its refunds are: one for each that counts, and void where
the money never arrived. What is due follows from the payment, whichever event brought us here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from paylink.domain import events
from paylink.domain.credit_note import (
    CreditNote,
    credit,
    credit_note_id_for,
    creditable,
    facts,
    voided,
)
from paylink.domain.errors import StateConflictError, UnknownInvoiceError, UnknownPaymentError
from paylink.domain.invoice import invoice_id_for, series_year
from paylink.domain.payment import Payment, event_about
from paylink.ports import (
    Clock,
    CreditNoteRepository,
    InvoiceRepository,
    InvoiceStore,
    PaymentRepository,
    VersionConflictError,
)
from paylink.services.settle_payment import back_off

_ATTEMPTS = 12

logger = logging.getLogger(__name__)


def issue_credit_notes(
    payment_id: str,
    *,
    payments: PaymentRepository,
    invoices: InvoiceRepository,
    credit_notes: CreditNoteRepository,
    store: InvoiceStore,
    render: Callable[[CreditNote], bytes],
    clock: Clock,
    known: Payment | None = None,
) -> list[CreditNote]:
    """All credit notes of a payment, however often this is called; its invoice is there already.

    ``known`` is the payment as it was just read. A PDF that can't be made raises, and the next
    call fills it in under the same number. Raises UnknownPaymentError, UnknownInvoiceError, and
    StateConflictError when others kept changing the payment or taking numbers.
    """
    notes = _numbered(payment_id, known, payments, invoices, credit_notes, clock)
    for note in notes:
        if not store.has(note.document_key):
            store.put(note.document_key, render(note))
    return notes


def _numbered(
    payment_id: str,
    known: Payment | None,
    payments: PaymentRepository,
    invoices: InvoiceRepository,
    credit_notes: CreditNoteRepository,
    clock: Clock,
) -> list[CreditNote]:
    for attempt in range(_ATTEMPTS):
        payment = known if known is not None and attempt == 0 else payments.get(payment_id)
        if payment is None:
            raise UnknownPaymentError()
        try:
            return _caught_up(payment, invoices, credit_notes, clock)
        except VersionConflictError:
            back_off(min(attempt, 5))
    raise StateConflictError()


def _caught_up(
    payment: Payment, invoices: InvoiceRepository, credit_notes: CreditNoteRepository, clock: Clock
) -> list[CreditNote]:
    refunds = creditable(payment)
    if not refunds:
        return []
    invoice = invoices.get(invoice_id_for(payment.id))
    if invoice is None:
        raise UnknownInvoiceError()
    version = payment.version
    notes: dict[str, CreditNote] = {}
    # What no longer stands first, since the others are counted up from what does.
    for refund in refunds:
        note = credit_notes.get(credit_note_id_for(refund.id))
        if note is None:
            continue
        if not refund.counts and note.status == "issued":
            now = clock()
            note = voided(note, now)
            told = event_about(payment, events.CREDIT_NOTE_VOIDED, now, facts(note))
            credit_notes.void(note, version, [told])
            version += 1
            logger.warning(
                "credit note void: its refund failed",
                extra={"payment_id": payment.id, "credit_note_number": note.number},
            )
        notes[refund.id] = note
    for refund in refunds:
        if not refund.counts or refund.id in notes:
            continue
        now = clock()
        year = series_year(invoice.seller, now)
        sequence = credit_notes.next_sequence(payment.organization_id, payment.mode, year)
        standing = [note for note in notes.values() if note.status == "issued"]
        note = credit(refund, invoice, standing, year, sequence, now)
        told = event_about(payment, events.CREDIT_NOTE_ISSUED, now, facts(note))
        credit_notes.add(note, year, sequence, version, [told])
        version += 1
        notes[refund.id] = note
        logger.info(
            "credit note issued",
            extra={"payment_id": payment.id, "credit_note_number": note.number},
        )
    return list(notes.values())
