"""Payments, as callers read them: one, and lists."""

from __future__ import annotations

from paylink.domain.errors import PaymentNotFoundError
from paylink.domain.organization import Owner
from paylink.domain.payment import Payment
from paylink.ports import CredentialsStore, CustomerRepository, PaymentRepository
from paylink.services.list_items import ListRequest, Page, list_items


def read_payment(payment_id: str, owner: Owner, payments: PaymentRepository) -> Payment:
    """Raises PaymentNotFoundError, for anybody else's as well."""
    payment = payments.get(payment_id, with_invoice=True)
    if payment is None or (payment.organization_id, payment.mode) != owner:
        raise PaymentNotFoundError()
    return payment


def read_link(payment_id: str, owner: Owner, payments: PaymentRepository) -> str:
    """Where a payment can be paid; PaymentNotFoundError for a charge, which has no such place."""
    url = read_payment(payment_id, owner, payments).url
    if url is None:
        raise PaymentNotFoundError()
    return url


def list_payments(
    request: ListRequest,
    *,
    customer: str | None,
    status: str | None,
    payments: PaymentRepository,
    customers: CustomerRepository,
    credentials: CredentialsStore,
) -> Page[Payment]:
    """Those of a customer (our id, or the caller's own) and in a status, where asked for.

    Nobody's payments are an empty page. Raises ValidationError for a cursor of another list.
    """
    owner = None
    if customer is not None:
        found = (
            customers.find(request.organization_id, request.mode, customer) if customer else None
        )
        if found is None:
            return list_items(request, lambda _before, _limit: (), credentials)
        owner = found.id
    return list_items(
        request,
        lambda before, limit: payments.page(
            request.organization_id, request.mode, owner, before, limit
        ),
        credentials,
        lambda payment: status is None or payment.status == status,
    )
