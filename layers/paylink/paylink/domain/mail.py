"""An e-mail as one recipient gets it, and what makes an address one that can be written to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # what is written about
    from paylink.domain.credit_note import CreditNote
    from paylink.domain.invoice import Invoice
    from paylink.domain.organization import Mode, Organization
    from paylink.domain.webhook import DisabledReason

# Narrower than the standard: what a header could be broken with is never part of it.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)


@dataclass(frozen=True)
class Attachment:
    """One PDF."""

    file_name: str
    content: bytes


@dataclass(frozen=True)
class Mail:
    """What is said to one person, in HTML and, complete as well, in plain text."""

    to: str
    from_name: str
    reply_to: str | None
    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class DocumentLink:
    """Downloads the PDF until then."""

    url: str
    until: datetime


Occasion = Literal["paid", "asked_for", "refunded", "refund_failed"]


@dataclass(frozen=True)
class DocumentMailing:
    """What a mail about an invoice or a credit note is written from."""

    document: Invoice | CreditNote
    to: str
    occasion: Occasion
    """Why it is sent: ``asked_for`` by the seller, or because of what just became of the money."""
    link: DocumentLink | None = None
    """None where the document no longer counts, so that nobody is led to it."""
    attachment: Attachment | None = None
    """None as well where the PDF couldn't be had; the link leads to it later."""
    logo_url: str | None = None
    """Where the seller's picture is, if there is one."""


@dataclass(frozen=True)
class EndpointNotice:
    """What an owner is told of a webhook endpoint that we switched off."""

    owner: Organization
    mode: Mode
    to: str
    endpoint_id: str
    url: str
    reason: DisabledReason


def is_address(text: str) -> bool:
    """Whether mail can be sent there, as far as its form tells."""
    return _ADDRESS.fullmatch(text) is not None


def one_line(text: str, longest: int = 120) -> str:
    """A stranger's text as part of a header: printable, on one line, and no longer than that."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    # What looks like an encoded word (RFC 2047) would be shown as what it encodes.
    line = " ".join(printable.split()).replace("=?", "= ?")
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"
