"""Hands out the stored PDF of an invoice to whoever holds a signed link."""

from __future__ import annotations

from paylink.domain.download_link import opens
from paylink.domain.errors import InvoiceNotFoundError
from paylink.domain.invoice import invoice_id_for
from paylink.ports import Clock, CredentialsStore, InvoiceRepository, InvoiceStore


def download_invoice(
    payment_id: str,
    token: str,
    *,
    invoices: InvoiceRepository,
    store: InvoiceStore,
    credentials: CredentialsStore,
    clock: Clock,
) -> str:
    """A URL of one minute.

    Raises InvoiceNotFoundError for a wrong or outdated token just as for an unknown invoice, so
    that nothing is learned by trying.
    """
    invoice = invoices.get(invoice_id_for(payment_id))
    secrets = credentials.get(invoice.organization_id, invoice.mode) if invoice else None
    if invoice is None or invoice.document_key is None or secrets is None:
        raise InvoiceNotFoundError()
    if not opens(token, invoice.id, clock(), secrets.signing_key):
        raise InvoiceNotFoundError()
    return store.temporary_url(invoice.document_key, f"{invoice.number}.pdf")
