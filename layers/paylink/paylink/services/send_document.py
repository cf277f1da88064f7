"""Writes to a buyer about an invoice or a credit note, by itself or because the seller asks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from paylink.domain.credit_note import CreditNote
from paylink.domain.document import Document
from paylink.domain.errors import (
    DocumentUnavailableError,
    EmailNotSendableError,
    MailBeingSentError,
    UnknownCreditNoteError,
    UnknownInvoiceError,
)
from paylink.domain.invoice import Invoice
from paylink.domain.mail import (
    Attachment,
    DocumentLink,
    DocumentMailing,
    Mail,
    Occasion,
    is_address,
)
from paylink.domain.organization import Owner
from paylink.ports import (
    Clock,
    CredentialsStore,
    CreditNoteRepository,
    InvoiceRepository,
    InvoiceStore,
    MailedDocuments,
    Mailer,
    OrganizationRepository,
    ReceiptOutcome,
)
from paylink.services.documents import Shelf, make_download_link, shelf_of
from paylink.services.invoices import read_invoice

# Longer than the function may run: once it is over, nobody is at it any more.
CLAIM = timedelta(minutes=1)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MailPorts:
    """What mails about documents need. ``shelves`` are named as in `download_document`."""

    invoices: InvoiceRepository
    credit_notes: CreditNoteRepository
    organizations: OrganizationRepository
    shelves: Mapping[str, Shelf]
    store: InvoiceStore
    credentials: CredentialsStore
    mailer: Mailer
    compose: Callable[[DocumentMailing], Mail]
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
    _send_once(invoice, "paid", "sent", base_url, ports.invoices, ports)


def send_credit_note(credit_note_id: str, base_url: str, ports: MailPorts) -> None:
    """Sends a credit note that was just issued, and tells whoever got it if it became void.

    Which event came doesn't matter: what is due follows from the note, and one that was void
    before anybody was told of it is none of the buyer's business. Once, and with the errors of
    `send_receipt`; raises UnknownCreditNoteError.
    """
    note = ports.credit_notes.get(credit_note_id)
    if note is None:
        raise UnknownCreditNoteError()
    if note.status == "issued":
        _send_once(note, "refunded", "sent", base_url, ports.credit_notes, ports)
    else:
        _send_once(
            note, "refund_failed", "taken_back", base_url, ports.credit_notes, ports, after="sent"
        )


def send_invoice(
    invoice_id: str, owner: Owner, base_url: str, ports: MailPorts
) -> tuple[Invoice, datetime]:
    """Sends an invoice to its buyer, whether it was sent before or not, and says when.

    Raises InvoiceNotFoundError, EmailNotSendableError, MailUnavailableError.
    """
    invoice = read_invoice(invoice_id, owner, ports.invoices)
    if not ports.mailer.configured:
        raise EmailNotSendableError("This deployment has no sender of e-mails: set ReceiptSender.")
    _send(invoice, "asked_for", base_url, ports)
    logger.info("invoice sent", extra={"invoice_id": invoice.id})
    return invoice, ports.clock()


def _send_once(
    document: Invoice | CreditNote,
    occasion: Occasion,
    outcome: ReceiptOutcome,
    base_url: str,
    documents: MailedDocuments,
    ports: MailPorts,
    *,
    after: ReceiptOutcome | None = None,
) -> None:
    about = {"document_id": document.id, "occasion": occasion}
    seller = ports.organizations.get(document.organization_id)
    if not ports.mailer.configured or seller is None or not seller.receipts:
        logger.info("no mail is wanted", extra=about)
        return
    now = ports.clock()
    match documents.claim_receipt(document, now, now + CLAIM, after):
        case "done":
            logger.info("nothing is left to send", extra=about)
            return
        case "claimed_by_another":
            raise MailBeingSentError()
        case "claimed":
            pass
    try:
        _send(document, occasion, base_url, ports)
    except EmailNotSendableError as error:
        logger.warning("no mail can be sent", extra={**about, "reason": error.message})
        documents.note_receipt(document, ports.clock(), "refused")
        return
    except Exception:
        documents.release_receipt(document)
        raise
    documents.note_receipt(document, ports.clock(), outcome)
    logger.info("mail sent", extra=about)


def _send(
    document: Invoice | CreditNote, occasion: Occasion, base_url: str, ports: MailPorts
) -> None:
    to = document.buyer.email
    if to is None:
        raise EmailNotSendableError("The buyer's e-mail address is not known.")
    if not is_address(to):
        raise EmailNotSendableError("The buyer's e-mail address is none that can be written to.")
    link = attachment = None
    if occasion != "refund_failed":
        made = make_download_link(
            document, base_url, credentials=ports.credentials, clock=ports.clock
        )
        link = DocumentLink(made.url, made.expires_at)
        attachment = _attachment(document, ports)
    logo = document.seller.logo
    logo_url = f"{base_url}/{logo.key}" if logo else None
    mailing = DocumentMailing(document, to, occasion, link, attachment, logo_url)
    ports.mailer.send(ports.compose(mailing))


def _attachment(document: Document, ports: MailPorts) -> Attachment | None:
    """The PDF, made now if it isn't stored; its trouble is no reason to send nothing."""
    shelf = shelf_of(document.id, ports.shelves)
    try:
        stored = ports.store.get(document.document_key)
        if stored is None and shelf is not None:
            shelf.issue(document)
            stored = ports.store.get(document.document_key)
    except DocumentUnavailableError:
        stored = None
    if stored is None:
        logger.warning("a mail goes without its PDF", extra={"document_id": document.id})
        return None
    return Attachment(f"{document.number}.pdf", stored)
