"""Invoices as callers see them, and links to their PDF."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypedDict

from pydantic import Field

from paylink.domain.errors import EmailNotSendableError, InvoiceNotFoundError
from paylink.domain.invoice import Invoice
from paylink.domain.payment import LineItem
from paylink.http.envelope import timestamp
from paylink.http.operation import Operation
from paylink.services.documents import DownloadLink

Status = Literal["draft", "outstanding", "paid", "void", "uncollectible"]
"""What may be asked for; invoices of payments are `paid`, or `void` later."""
STATUSES = ("draft", "outstanding", "paid", "void", "uncollectible")

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
AlwaysNull = Annotated[None, Field(description="Always null.")]


class InvoiceObject(TypedDict):
    """An invoice as it was issued. Amounts are integers in minor units of the currency, and
    `subtotal + taxAmount = total` always."""

    object: Literal["invoice"]
    id: Annotated[str, Field(examples=["inv_3hZkWq8RtYcXmB5vNfLp2D"])]
    livemode: bool
    invoiceNumber: Annotated[
        str,
        Field(
            description="Consecutive per organization, mode and year of issue.",
            examples=["INV-2026-000042"],
        ),
    ]
    status: Annotated[Literal["paid", "void"], Field(examples=["paid"])]
    invoiceType: Literal["one_time_payment"]
    customerId: Annotated[
        str | None, Field(description="Your own id of the customer, if there is one, else ours.")
    ]
    subscriptionId: AlwaysNull
    paymentId: Annotated[str, Field(examples=["pay_2f9QmZrX4tBvLsW8kYcNhD"])]
    transactionId: Annotated[str, Field(examples=["txn_6bTq0RkXw2LmZsV9hJcFyD"])]
    currency: Annotated[str, Field(description="ISO 4217, lower case.", examples=["eur"])]
    subtotal: Annotated[int, Field(examples=[4900])]
    discountAmount: Annotated[int, Field(description="Always 0.", examples=[0])]
    taxAmount: Annotated[int, Field(examples=[931])]
    total: Annotated[int, Field(examples=[5831])]
    periodStart: Annotated[Time, Field(description="When it was paid.")]
    periodEnd: Annotated[Time, Field(description="When it was paid.")]
    issueDate: Annotated[Time, Field(examples=["2026-11-25T09:30:00.000Z"])]
    dueDate: Annotated[Time, Field(description="The date of issue: it is paid already.")]
    memo: AlwaysNull
    metadata: Annotated[
        dict[str, str], Field(description="The payment's.", examples=[{"order": "1017"}])
    ]
    createdAt: Annotated[Time, Field(examples=["2026-11-25T09:30:00.000Z"])]
    updatedAt: Annotated[Time, Field(examples=["2026-11-25T09:30:00.000Z"])]


class LineItemObject(TypedDict):
    """What was paid for, before tax."""

    lineType: Literal["one_time"]
    description: Annotated[str, Field(examples=["Consulting, one hour"])]
    quantity: Annotated[int, Field(examples=[1])]
    unitAmount: Annotated[int, Field(examples=[4900])]
    amount: Annotated[int, Field(examples=[4900])]
    featureName: AlwaysNull
    includedAmount: AlwaysNull
    usedAmount: AlwaysNull
    overageAmount: AlwaysNull
    discountType: AlwaysNull
    discountValue: AlwaysNull
    discountName: AlwaysNull
    chargeType: AlwaysNull


class WholeInvoiceObject(InvoiceObject):
    """An invoice with its line items."""

    lineItems: list[LineItemObject]
    creditApplied: Annotated[int, Field(description="Always 0.", examples=[0])]
    planName: AlwaysNull
    poNumber: AlwaysNull
    reference: AlwaysNull


class InvoiceDownloadLinkObject(TypedDict):
    """A link that downloads the PDF without an API key."""

    object: Literal["invoice_download_link"]
    livemode: bool
    url: Annotated[
        str,
        Field(
            description="Ours; it leads to the PDF, which is made if it isn't stored yet.",
            examples=["https://pay.example.com/documents/inv_3hZkWq8RtYcXmB5vNfLp2D?token=…"],
        ),
    ]
    expiresAt: Annotated[Time, Field(description="After seven days.")]


class SentInvoiceObject(TypedDict):
    """An invoice that was handed to the mail service."""

    object: Literal["invoice"]
    id: Annotated[str, Field(examples=["inv_3hZkWq8RtYcXmB5vNfLp2D"])]
    livemode: bool
    sent: Literal[True]
    sentAt: Annotated[Time, Field(examples=["2026-11-25T09:30:00.000Z"])]


def present_invoice(invoice: Invoice) -> InvoiceObject:
    """The contract's invoice object, as in lists."""
    issued, paid = timestamp(invoice.issued_at), timestamp(invoice.paid_at)
    return {
        "object": "invoice",
        "id": invoice.id,
        "livemode": invoice.mode == "live",
        "invoiceNumber": invoice.number,
        "status": invoice.status,
        "invoiceType": "one_time_payment",
        "customerId": invoice.customer_public_id,
        "subscriptionId": None,
        "paymentId": invoice.payment_id,
        "transactionId": invoice.transaction_id,
        "currency": invoice.currency,
        "subtotal": invoice.amount_subtotal,
        "discountAmount": 0,
        "taxAmount": invoice.tax_amount,
        "total": invoice.amount_total,
        "periodStart": paid,
        "periodEnd": paid,
        "issueDate": issued,
        "dueDate": issued,
        "memo": None,
        "metadata": dict(invoice.metadata),
        "createdAt": issued,
        "updatedAt": issued,
    }


def present_whole(invoice: Invoice) -> WholeInvoiceObject:
    """The contract's invoice object with what only one of them is read with."""
    return {
        **present_invoice(invoice),
        "lineItems": [present_line_item(item) for item in invoice.line_items],
        "creditApplied": 0,
        "planName": None,
        "poNumber": None,
        "reference": None,
    }


def present_line_item(item: LineItem) -> LineItemObject:
    return {
        "lineType": "one_time",
        "description": item.description,
        "quantity": item.quantity,
        "unitAmount": item.unit_amount,
        "amount": item.unit_amount * item.quantity,
        "featureName": None,
        "includedAmount": None,
        "usedAmount": None,
        "overageAmount": None,
        "discountType": None,
        "discountValue": None,
        "discountName": None,
        "chargeType": None,
    }


def present_link(link: DownloadLink, invoice: Invoice) -> InvoiceDownloadLinkObject:
    """The contract's download link object."""
    return {
        "object": "invoice_download_link",
        "livemode": invoice.mode == "live",
        "url": link.url,
        "expiresAt": timestamp(link.expires_at),
    }


def present_sent(invoice: Invoice, sent_at: datetime) -> SentInvoiceObject:
    """What the clients expect of an invoice that was sent."""
    return {
        "object": "invoice",
        "id": invoice.id,
        "livemode": invoice.mode == "live",
        "sent": True,
        "sentAt": timestamp(sent_at),
    }


GET = Operation("Get an invoice", WholeInvoiceObject, errors=(InvoiceNotFoundError,))
LIST = Operation(
    "List invoices",
    InvoiceObject,
    listed=True,
    query={
        "customerId": Annotated[
            str, Field(description="Only of this customer: your own id, or ours.")
        ],
        "status": Status,
        "subscriptionId": Annotated[
            str, Field(description="There are no subscriptions: the list is then empty.")
        ],
    },
)
LINK = Operation(
    summary="Make a link to an invoice's PDF",
    description="For whoever shall have the invoice: it needs no API key.",
    response=InvoiceDownloadLinkObject,
    status=201,
    errors=(InvoiceNotFoundError,),
)
OLDER_LINK = Operation(
    summary="Get a link to an invoice's PDF",
    description="The same, by the route of older clients.",
    response=InvoiceDownloadLinkObject,
    errors=(InvoiceNotFoundError,),
)
SEND = Operation(
    summary="Send an invoice by e-mail",
    description="To the address that the buyer gave when paying, whether it was sent before or "
    "not. The PDF is attached.",
    response=SentInvoiceObject,
    errors=(InvoiceNotFoundError, EmailNotSendableError),
)
