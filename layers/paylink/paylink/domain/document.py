"""What an invoice has in common with every other document that buyers are given as a PDF."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from paylink.domain.customer import Buyer
from paylink.domain.organization import Mode, Organization
from paylink.domain.payment import LineItem
from paylink.domain.tax import TaxLine


@dataclass(frozen=True, kw_only=True)
class Document:
    """A numbered paper about one payment, whose PDF is stored once or will be: a snapshot of
    seller, buyer, line items and tax, with amounts in minor units of ``currency``."""

    id: str
    number: str
    organization_id: str
    mode: Mode
    payment_id: str
    transaction_id: str
    currency: str
    amount_subtotal: int
    tax_amount: int
    line_items: tuple[LineItem, ...]
    tax_lines: tuple[TaxLine, ...]
    seller: Organization
    buyer: Buyer
    issued_at: datetime
    customer_id: str | None = None
    customer_public_id: str | None = None
    payment_method: str | None = None
    """As printed: ``Visa •••• 4242``."""
    language: str = "en-US"
    """Of the PDF and of e-mails about it, as `domain.language` has it. Kept, since the rules by
    which it was found may change."""

    @property
    def amount_total(self) -> int:
        return self.amount_subtotal + self.tax_amount

    @property
    def created_at(self) -> datetime:
        """What lists are sorted by."""
        return self.issued_at

    @property
    def document_key(self) -> str:
        """The PDF's place in the bucket, whether it is there yet or not; it has the unguessable id,
        so numbers can't be walked."""
        return f"{self.organization_id}/{self.mode}/{self.id}.pdf"

    @property
    def issued_for(self) -> dict[str, str]:
        """Those members of an event's data by which its function issues it."""
        return {"paymentId": self.payment_id}

    @property
    def issue_date(self) -> datetime:
        """The moment of issue on the seller's own calendar, which decides the number's year."""
        return self.issued_at.astimezone(ZoneInfo(self.seller.time_zone))
