"""Issues the invoices of paid payments: numbers and invoices in short writes, the PDFs after them.

All invoices of an organization take their numbers from one item, which bears only so many writes
a second. So payments that come together are numbered together, in one write for each series; what
that fails for is told payment by payment, when each is tried alone.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from paylink.domain.errors import PaylinkError, StateConflictError, UnknownPaymentError
from paylink.domain.invoice import Invoice, announcement, invoice_id_for, issue, series_year
from paylink.domain.organization import Organization, Owner
from paylink.domain.payment import Payment
from paylink.ports import (
    MOST_NUMBERS,
    Clock,
    InvoiceRepository,
    InvoiceStore,
    IssuedInvoice,
    NumbersConflictError,
    OrganizationRepository,
    PaymentRepository,
)
from paylink.services.settle_payment import back_off

_ATTEMPTS = 12
_LONGEST_WAIT = 7  # as `back_off` counts: some seconds, in which fifty rivals pass

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class IssuePorts:
    """What invoices need from outside; ``render`` makes the PDF."""

    payments: PaymentRepository
    invoices: InvoiceRepository
    organizations: OrganizationRepository
    store: InvoiceStore
    render: Callable[[Invoice], bytes]
    clock: Clock


class Numbered(NamedTuple):
    """A payment, as it was read, and its new invoice."""

    payment: Payment
    invoice: Invoice


def number_invoices(payment_ids: Iterable[str], ports: IssuePorts) -> dict[str, Numbered]:
    """New invoices of these payments, by their ids, with numbers in this order.

    It never raises: those that have one, can't have one or failed are left out, and
    `issue_invoice` finds out about each.
    """
    wanted = list(dict.fromkeys(payment_ids))
    numbered: dict[str, Numbered] = {}
    try:
        found = {payment.id: payment for payment in ports.payments.several(wanted)}
        by_owner: defaultdict[Owner, list[Payment]] = defaultdict(list)
        for payment in (found[id_] for id_ in wanted if id_ in found):
            if payment.status == "succeeded" and payment.invoice_id is None:
                by_owner[payment.organization_id, payment.mode].append(payment)
        for (organization_id, _), paid in by_owner.items():
            seller = ports.organizations.get(organization_id)
            if seller is None:
                continue
            for at in range(0, len(paid), MOST_NUMBERS):
                for invoice in _take_numbers(paid[at : at + MOST_NUMBERS], seller, ports):
                    numbered[invoice.payment_id] = Numbered(found[invoice.payment_id], invoice)
    except Exception:
        logger.warning("invoices are numbered one by one", exc_info=True)
    return numbered


def issue_invoice(payment_id: str, ports: IssuePorts, numbered: Invoice | None = None) -> Invoice:
    """One invoice with one number per payment, and its PDF stored, however often this is called.

    ``numbered`` is what `number_invoices` just made of the payment. A PDF that can't be made
    raises, and the next call fills it in under the same number.
    """
    if numbered is not None:
        _log_issued(numbered)
    invoice = numbered or ports.invoices.get(invoice_id_for(payment_id))
    if invoice is None:
        invoice = _numbered_alone(payment_id, ports)
    if numbered is not None or not ports.store.has(invoice.document_key):
        ports.store.put(invoice.document_key, ports.render(invoice))
    return invoice


def _log_issued(invoice: Invoice) -> None:
    """Where the event is handled that asked for it, so that the line has its id."""
    logger.info(
        "invoice issued",
        extra={"payment_id": invoice.payment_id, "invoice_number": invoice.number},
    )


def _numbered_alone(payment_id: str, ports: IssuePorts) -> Invoice:
    payment = ports.payments.get(payment_id)
    if payment is None:
        raise UnknownPaymentError()
    seller = ports.organizations.get(payment.organization_id)
    if seller is None:
        raise PaylinkError(f"organization {payment.organization_id} has no settings")
    for invoice in _take_numbers([payment], seller, ports):
        _log_issued(invoice)
        return invoice
    issued = ports.invoices.get(invoice_id_for(payment_id))
    if issued is None:
        raise StateConflictError()
    return issued


def _take_numbers(
    paid: Sequence[Payment], seller: Organization, ports: IssuePorts
) -> list[Invoice]:
    """Consecutive numbers of one series, for those of one owner's payments that nobody else
    issued meanwhile."""
    for attempt in range(_ATTEMPTS):
        if not paid:
            return []
        now = ports.clock()
        year = series_year(seller, now)
        first = ports.invoices.next_sequence(paid[0].organization_id, paid[0].mode, year)
        issued = [
            _issued(payment, seller, year, sequence, now)
            for sequence, payment in enumerate(paid, first)
        ]
        try:
            ports.invoices.add(issued, year, first)
        except NumbersConflictError as error:
            paid = [payment for payment in paid if payment.id not in error.payment_ids]
            back_off(min(attempt, _LONGEST_WAIT))
            continue
        return [invoice for invoice, _ in issued]
    raise StateConflictError()


def _issued(
    payment: Payment, seller: Organization, year: int, sequence: int, now: datetime
) -> IssuedInvoice:
    invoice = issue(payment, seller, year, sequence, now)
    return IssuedInvoice(invoice, announcement(invoice, payment))
