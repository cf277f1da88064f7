"""Credit notes as callers see them, and links to their PDF."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from pydantic import Field

from paylink.domain.credit_note import CreditNote
from paylink.domain.errors import CreditNoteNotFoundError
from paylink.http.envelope import timestamp
from paylink.http.operation import Operation
from paylink.http.schemas.invoices import LineItemObject, Time, present_line_item
from paylink.services.documents import DownloadLink


class CreditNoteObject(TypedDict):
    """How much of an invoice a refund took back. Amounts are positive integers in minor units of
    the currency, and `subtotal + taxAmount = total` always."""

    object: Literal["credit_note"]
    id: Annotated[str, Field(examples=["cn_7dKwYp2RtXcVmB4vNfLq8H"])]
    livemode: bool
    creditNoteNumber: Annotated[
        str,
        Field(
            description="Consecutive per organization, mode and year of issue.",
            examples=["CN-2026-000007"],
        ),
    ]
    status: Annotated[
        Literal["issued", "void"],
        Field(description="`void`: the refund failed later, and the invoice stands again."),
    ]
    customerId: Annotated[
        str | None, Field(description="Your own id of the customer, if there is one, else ours.")
    ]
    invoiceId: Annotated[str, Field(examples=["inv_3hZkWq8RtYcXmB5vNfLp2D"])]
    invoiceNumber: Annotated[str, Field(examples=["INV-2026-000042"])]
    paymentId: Annotated[str, Field(examples=["pay_2f9QmZrX4tBvLsW8kYcNhD"])]
    transactionId: Annotated[str, Field(examples=["txn_6bTq0RkXw2LmZsV9hJcFyD"])]
    refundId: Annotated[str, Field(examples=["ref_9mXcT4vKp7LwRzQ2bHnYsG"])]
    currency: Annotated[str, Field(description="ISO 4217, lower case.", examples=["eur"])]
    subtotal: Annotated[int, Field(examples=[2450])]
    taxAmount: Annotated[
        int,
        Field(description="Its share of the invoice's; all parts add up to it.", examples=[466]),
    ]
    total: Annotated[int, Field(description="What went back.", examples=[2916])]
    reason: str | None
    issueDate: Annotated[Time, Field(examples=["2026-11-25T09:30:00.000Z"])]
    createdAt: Annotated[Time, Field(examples=["2026-11-25T09:30:00.000Z"])]
    voidedAt: Time | None


class WholeCreditNoteObject(CreditNoteObject):
    """A credit note with its line items."""

    lineItems: list[LineItemObject]


class CreditNoteDownloadLinkObject(TypedDict):
    """A link that downloads the PDF without an API key."""

    object: Literal["credit_note_download_link"]
    livemode: bool
    url: Annotated[
        str,
        Field(
            description="Ours; it leads to the PDF, which is made if it isn't stored yet.",
            examples=["https://pay.example.com/documents/cn_7dKwYp2RtXcVmB4vNfLq8H?token=…"],
        ),
    ]
    expiresAt: Annotated[Time, Field(description="After seven days.")]


def present_credit_note(note: CreditNote) -> CreditNoteObject:
    """The contract's credit note object, as in lists."""
    issued = timestamp(note.issued_at)
    return {
        "object": "credit_note",
        "id": note.id,
        "livemode": note.mode == "live",
        "creditNoteNumber": note.number,
        "status": note.status,
        "customerId": note.customer_public_id,
        "invoiceId": note.invoice_id,
        "invoiceNumber": note.invoice_number,
        "paymentId": note.payment_id,
        "transactionId": note.transaction_id,
        "refundId": note.refund_id,
        "currency": note.currency,
        "subtotal": note.amount_subtotal,
        "taxAmount": note.tax_amount,
        "total": note.amount_total,
        "reason": note.reason,
        "issueDate": issued,
        "createdAt": issued,
        "voidedAt": timestamp(note.voided_at) if note.voided_at else None,
    }


def present_whole(note: CreditNote) -> WholeCreditNoteObject:
    """The contract's credit note object with what only one of them is read with."""
    lines = [present_line_item(item) for item in note.line_items]
    return {**present_credit_note(note), "lineItems": lines}


def present_link(link: DownloadLink, note: CreditNote) -> CreditNoteDownloadLinkObject:
    """As the invoices' link object."""
    return {
        "object": "credit_note_download_link",
        "livemode": note.mode == "live",
        "url": link.url,
        "expiresAt": timestamp(link.expires_at),
    }


GET = Operation("Get a credit note", WholeCreditNoteObject, errors=(CreditNoteNotFoundError,))
LIST = Operation(
    "List credit notes",
    CreditNoteObject,
    listed=True,
    query={
        "customerId": Annotated[
            str, Field(description="Only of this customer: your own id, or ours.")
        ],
    },
)
LINK = Operation(
    summary="Make a link to a credit note's PDF",
    description="For whoever shall have the credit note: it needs no API key.",
    response=CreditNoteDownloadLinkObject,
    status=201,
    errors=(CreditNoteNotFoundError,),
)
OLDER_LINK = Operation(
    summary="Get a link to a credit note's PDF",
    description="The same, by a route like that of the invoices' older clients.",
    response=CreditNoteDownloadLinkObject,
    errors=(CreditNoteNotFoundError,),
)
