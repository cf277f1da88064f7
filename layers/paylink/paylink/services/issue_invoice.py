"""Issues the invoice of a paid payment: number and invoice in one short write, the PDF after it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from paylink.domain import events
from paylink.domain.document import document_key_for
from paylink.domain.errors import PaylinkError, StateConflictError, UnknownPaymentError
from paylink.domain.invoice import (
    Invoice,
    facts,
    invoice_id_for,
    issue,
    series_year,
)
from paylink.domain.organization import Organization
from paylink.domain.payment import Payment, event_about
from paylink.ports import (
    Clock,
    InvoiceRepository,
    InvoiceStore,
    OrganizationRepository,
    PaymentRepository,
    VersionConflictError,
)
from paylink.services.settle_payment import back_off

_ATTEMPTS = 12

logger = logging.getLogger(__name__)


def issue_invoice(
    payment_id: str,
    *,
    payments: PaymentRepository,
    invoices: InvoiceRepository,
    organizations: OrganizationRepository,
    store: InvoiceStore,
    render: Callable[[Invoice], bytes],
    clock: Clock,
) -> Invoice:
    """One invoice with one number per payment, and its PDF stored, however often this is called.

    A PDF that can't be made raises, and the next call fills it in under the same number.
    """
    invoice = invoices.get(invoice_id_for(payment_id))
    if invoice is None:
        payment = payments.get(payment_id)
        if payment is None:
            raise UnknownPaymentError()
        seller = organizations.get(payment.organization_id)
        if seller is None:
            raise PaylinkError(f"organization {payment.organization_id} has no settings")
        invoice = _take_number(payment, seller, invoices, clock)
        logger.info(
            "invoice issued", extra={"payment_id": payment_id, "invoice_number": invoice.number}
        )
    if invoice.document_key is None:
        key = document_key_for(invoice)
        store.put(key, render(invoice))
        invoices.set_document(invoice, key)
    return invoice


def _take_number(
    payment: Payment, seller: Organization, invoices: InvoiceRepository, clock: Clock
) -> Invoice:
    for attempt in range(_ATTEMPTS):
        now = clock()
        year = series_year(seller, now)
        sequence = invoices.next_sequence(payment.organization_id, payment.mode, year)
        invoice = issue(payment, seller, year, sequence, now)
        event = event_about(payment, events.INVOICE_ISSUED, now, facts(invoice, payment))
        try:
            invoices.add(invoice, year, sequence, [event])
        except VersionConflictError:
            existing = invoices.get(invoice.id)
            if existing is not None:
                return existing
            back_off(min(attempt, 5))
            continue
        return invoice
    raise StateConflictError()
