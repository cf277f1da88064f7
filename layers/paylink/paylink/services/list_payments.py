"""Pages of a caller's payments, of one customer's or in one status where asked for."""

from __future__ import annotations

from paylink.domain.payment import Payment
from paylink.ports import CredentialsStore, CustomerRepository, PaymentRepository
from paylink.services.list_items import ListRequest, Page, list_items


def list_payments(
    request: ListRequest,
    *,
    customer: str | None,
    status: str | None,
    payments: PaymentRepository,
    customers: CustomerRepository,
    credentials: CredentialsStore,
) -> Page[Payment]:
    """``customer`` is our id or the caller's own; nobody's payments are an empty page.

    Raises ValidationError for a cursor of another list.
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
