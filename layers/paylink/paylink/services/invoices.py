"""Invoices, as callers read them: one, and lists."""

from __future__ import annotations

from paylink.domain.errors import InvoiceNotFoundError
from paylink.domain.invoice import Invoice
from paylink.domain.organization import Owner
from paylink.ports import CredentialsStore, CustomerRepository, InvoiceRepository
from paylink.services.documents import list_documents, owned
from paylink.services.list_items import ListRequest, Page, list_items


def read_invoice(invoice_id: str, owner: Owner, invoices: InvoiceRepository) -> Invoice:
    """Raises InvoiceNotFoundError, for anybody else's as well."""
    found = owned(invoices.get(invoice_id), owner)
    if found is None:
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
    if subscription is not None:
        return list_items(request, lambda _before, _limit: (), credentials)
    return list_documents(
        request,
        customer=customer,
        read=invoices.page,
        customers=customers,
        credentials=credentials,
        keep=lambda invoice: status in {None, invoice.status},
    )
