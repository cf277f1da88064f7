"""Sends a buyer their invoice: by itself once it is issued, or again because the seller asks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from paylink.domain.document import Document
from paylink.domain.errors import (
    DocumentUnavailableError,
    EmailNotSendableError,
    MailBeingSentError,
    UnknownInvoiceError,
)
from paylink.domain.invoice import Invoice
from paylink.domain.mail import Attachment, InvoiceMailing, Mail, is_address
from paylink.domain.organization import Owner
from paylink.ports import (
    Clock,
    CredentialsStore,
    InvoiceRepository,
    InvoiceStore,
    Mailer,
    OrganizationRepository,
)
from paylink.services.documents import Shelf, make_download_link
from paylink.services.invoices import read_invoice

# Longer than the function may run: once it is over, nobody is at it any more.
CLAIM = timedelta(minutes=1)

logger = logging.getLogger(__name__)


Compose = Callable[[InvoiceMailing], Mail]


@dataclass(frozen=True)
class MailPorts:
    """What mails about invoices need. ``shelf`` is that of invoices."""

    invoices: InvoiceRepository
    organizations: OrganizationRepository
    shelf: Shelf
    store: InvoiceStore
    credentials: CredentialsStore
    mailer: Mailer
    compose: Compose
    clock: Clock


def send_receipt(invoice_id: str, base_url: str, ports: MailPorts) -> None:
    """Sends the receipt of an invoice that was just issued, unless the seller doesn't want it.

    Once, as far as that can be known: what was sent is noted after it was sent, and a run that
    dies in between is repeated. Raises UnknownInvoiceError, MailBeingSentError and
    MailUnavailableError for the queue to come again; a recipient who can't be written to is noted
    and never tried again.
    """
    invoice = ports.invoices.get(invoice_id)
    if invoice is None:
        raise UnknownInvoiceError()
    about = {"invoice_id": invoice.id}
    seller = ports.organizations.get(invoice.organization_id)
    if not ports.mailer.configured or seller is None or not seller.receipts:
        logger.info("no receipt is wanted", extra=about)
        return
    now = ports.clock()
    match ports.invoices.claim_receipt(invoice, now, now + CLAIM):
        case "done":
            logger.info("the receipt had been sent", extra=about)
            return
        case "claimed_by_another":
            raise MailBeingSentError()
        case "claimed":
            pass
    try:
        _send(invoice, base_url, ports, asked_for=False)
    except EmailNotSendableError as error:
        logger.warning("no receipt can be sent", extra={**about, "reason": error.message})
        ports.invoices.note_receipt(invoice, ports.clock(), "refused")
        return
    except Exception:
        ports.invoices.release_receipt(invoice)
        raise
    ports.invoices.note_receipt(invoice, ports.clock(), "sent")
    logger.info("receipt sent", extra=about)


def send_invoice(
    invoice_id: str, owner: Owner, base_url: str, ports: MailPorts
) -> tuple[Invoice, datetime]:
    """Sends an invoice to its buyer, whether it was sent before or not, and says when.

    Raises InvoiceNotFoundError, EmailNotSendableError, MailUnavailableError.
    """
    invoice = read_invoice(invoice_id, owner, ports.invoices)
    if not ports.mailer.configured:
        raise EmailNotSendableError("This deployment has no sender of e-mails: set ReceiptSender.")
    _send(invoice, base_url, ports, asked_for=True)
    logger.info("invoice sent", extra={"invoice_id": invoice.id})
    return invoice, ports.clock()


def _send(invoice: Invoice, base_url: str, ports: MailPorts, *, asked_for: bool) -> None:
    to = invoice.buyer.email
    if to is None:
        raise EmailNotSendableError("The buyer's e-mail address is not known.")
    if not is_address(to):
        raise EmailNotSendableError("The buyer's e-mail address is none that can be written to.")
    link = make_download_link(invoice, base_url, credentials=ports.credentials, clock=ports.clock)
    attachment = _attachment(invoice, ports)
    logo = invoice.seller.logo
    mailing = InvoiceMailing(
        invoice,
        to,
        link.url,
        link.expires_at,
        attachment,
        asked_for,
        f"{base_url}/{logo.key}" if logo else None,
    )
    ports.mailer.send(ports.compose(mailing))


def _attachment(invoice: Document, ports: MailPorts) -> Attachment | None:
    """The PDF, made now if it isn't stored; its trouble is no reason to send nothing."""
    document: Document | None = invoice
    if invoice.document_key is None:
        try:
            ports.shelf.issue(invoice)
        except DocumentUnavailableError:
            logger.warning("a receipt goes without its PDF", extra={"invoice_id": invoice.id})
            return None
        document = ports.shelf.get(invoice.id)
    if document is None or document.document_key is None:
        return None
    return Attachment(f"{document.number}.pdf", ports.store.get(document.document_key))
