"""Invoices, as callers read them: one, and lists."""

from __future__ import annotations

from paylink.domain.errors import InvoiceNotFoundError
from paylink.domain.invoice import Invoice
from paylink.domain.organization import Owner
from paylink.ports import CredentialsStore, CustomerRepository, InvoiceRepository
from paylink.services.list_items import ListRequest, Page, list_items


def read_invoice(invoice_id: str, owner: Owner, invoices: InvoiceRepository) -> Invoice:
    """Raises InvoiceNotFoundError, for anybody else's as well."""
    found = invoices.get(invoice_id)
    if found is None or (found.organization_id, found.mode) != owner:
        raise InvoiceNotFoundError()
    return found


def list_invoices(
    request: ListRequest,
    *,
    customer: str | None,
    status: str | None,
    subscription: str | None,
    invoices: InvoiceRepository,
    customers: CustomerRepository,
    credentials: CredentialsStore,
) -> Page[Invoice]:
    """``customer`` is our id or the caller's own; nobody's invoices are an empty page, and so are
    those of a subscription, since there are none.

    Raises ValidationError for a cursor of another list.
    """
    owner = None
    if customer is not None:
        found = (
            customers.find(request.organization_id, request.mode, customer) if customer else None
        )
        owner = found.id if found else None
    if subscription is not None or (customer is not None and owner is None):
        return list_items(request, lambda _before, _limit: (), credentials)
    return list_items(
        request,
        lambda before, limit: invoices.page(
            request.organization_id, request.mode, owner, before, limit
        ),
        credentials,
        lambda invoice: status in {None, invoice.status},
    )
