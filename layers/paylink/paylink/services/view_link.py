"""What somebody who opens a link gets to see. Looking never makes or changes anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from paylink.domain.credit_note import CreditNote, credit_note_id_for, creditable
from paylink.domain.download_link import sign
from paylink.domain.errors import PaymentNotFoundError
from paylink.domain.invoice import Invoice, invoice_id_for
from paylink.domain.organization import Organization
from paylink.domain.payment import Payment
from paylink.ports import (
    Clock,
    CredentialsStore,
    CreditNoteRepository,
    InvoiceRepository,
    OrganizationRepository,
    PaymentRepository,
)
from paylink.services.own_tax import PlaceForm, place_form

_DOWNLOAD_LIFETIME = timedelta(hours=1)

Kind = Literal["checkout", "payable", "confirming", "receipt", "ended"]


@dataclass(frozen=True)
class LinkView:
    """``checkout``: go on to the provider; all else is a page of ours."""

    kind: Kind
    payment: Payment
    seller: Organization
    can_pay: bool
    invoice: Invoice | None = None
    download_token: str | None = None
    credit_notes: tuple[tuple[CreditNote, str], ...] = ()
    """Those that count, oldest first, each with the token of its download."""
    form: PlaceForm | None = None
    """What the buyer has to say before there can be a checkout, or may correct while there is."""


def view_link(
    payment_id: str,
    returned_session: str | None,
    *,
    payments: PaymentRepository,
    organizations: OrganizationRepository,
    invoices: InvoiceRepository,
    credit_notes: CreditNoteRepository,
    credentials: CredentialsStore,
    clock: Clock,
) -> LinkView:
    """``returned_session`` is the session that the provider says the buyer comes back from.

    Coming back proves nothing about money: the page then waits for what the provider tells us.
    Raises PaymentNotFoundError.
    """
    payment = payments.get(payment_id)
    seller = organizations.get(payment.organization_id) if payment else None
    if payment is None or payment.kind != "link" or seller is None:
        raise PaymentNotFoundError()
    now = clock()
    can_pay = payment.payable(now)
    came_back = returned_session is not None and payment.session_named(returned_session) is not None
    if payment.status == "succeeded":
        invoice = invoices.get(invoice_id_for(payment.id))
        secrets = credentials.get(payment.organization_id, payment.mode)
        if invoice is None or secrets is None:
            return LinkView("receipt", payment, seller, can_pay, invoice)
        until = now + _DOWNLOAD_LIFETIME
        token = sign(invoice.id, until, secrets.signing_key)
        notes = tuple(
            (note, sign(note.id, until, secrets.signing_key))
            for note in _standing(payment, credit_notes)
        )
        return LinkView("receipt", payment, seller, can_pay, invoice, token, notes)
    if payment.status == "processing":
        return LinkView("confirming", payment, seller, can_pay)
    if payment.status != "canceled" and came_back:
        return LinkView("confirming", payment, seller, can_pay)
    if not can_pay:
        return LinkView("ended", payment, seller, can_pay)
    session = payment.current_session
    live = session is not None and session.open_at(now)
    form = place_form(payment, seller) if payment.asks_place else None
    return LinkView("checkout" if live else "payable", payment, seller, can_pay, form=form)


def _standing(payment: Payment, credit_notes: CreditNoteRepository) -> Iterator[CreditNote]:
    for refund in creditable(payment):
        note = credit_notes.get(credit_note_id_for(refund.id)) if refund.counts else None
        if note is not None and note.status == "issued":
            yield note
