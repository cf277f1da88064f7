"""Transactions as callers see them, and the request that sends their money back."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict, get_args

from pydantic import BaseModel, ConfigDict, Field

from paylink.domain.errors import (
    DuplicateError,
    ProviderUnavailableError,
    ProviderUnsupportedError,
    TransactionNotFoundError,
)
from paylink.domain.invoice import invoice_id_for
from paylink.domain.payment import (
    DisputeStatus,
    Refund,
    RefundStatus,
    Transaction,
    TransactionStatus,
)
from paylink.http.envelope import timestamp
from paylink.http.operation import Operation
from paylink.http.schemas.validation import validated
from paylink.services.refund_transaction import NewRefund

STATUSES: tuple[str, ...] = get_args(TransactionStatus)

_PAID = frozenset({"succeeded", "refunded", "disputed"})

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class PaymentContextObject(TypedDict):
    """What was paid for."""

    reason: Literal["one_time_payment"]
    paymentLinkId: Annotated[str | None, Field(description="The payment; null for a charge.")]
    recovery: Annotated[None, Field(description="Always null.")]


class TransactionObject(TypedDict):
    """One settled or failed attempt to pay. Amounts are integers in minor units of the currency,
    and `subtotal + taxAmount = grossAmount` always."""

    object: Literal["transaction"]
    id: Annotated[str, Field(examples=["txn_6bTq0RkXw2LmZsV9hJcFyD"])]
    livemode: bool
    paymentId: Annotated[str, Field(examples=["pay_2f9QmZrX4tBvLsW8kYcNhD"])]
    invoiceId: Annotated[
        str | None,
        Field(
            description="Of money that came. The invoice follows within seconds; money that came "
            "twice has none."
        ),
    ]
    status: Annotated[
        TransactionStatus,
        Field(
            description="`refunded` once all of it went back; `disputed` while the buyer's bank "
            "disputes it, and for good where the dispute was lost.",
            examples=["succeeded"],
        ),
    ]
    disputeStatus: Annotated[
        DisputeStatus | None,
        Field(
            description="`open`, then `won` (`status` is what it was) or `lost` (the money is "
            "gone); null if it was never disputed."
        ),
    ]
    amountLost: Annotated[
        int, Field(description="What the buyer's bank took back for good.", examples=[0])
    ]
    provider: Literal["stripe"]
    grossAmount: Annotated[int, Field(description="With tax.", examples=[5831])]
    subtotal: Annotated[int, Field(examples=[4900])]
    taxAmount: Annotated[int, Field(examples=[931])]
    presentmentAmount: Annotated[int, Field(description="What the buyer saw.", examples=[5831])]
    currency: Annotated[str, Field(description="ISO 4217, lower case.", examples=["eur"])]
    paymentMethod: Annotated[str | None, Field(description="`card` and so on.", examples=["card"])]
    subPaymentMethod: Annotated[str | None, Field(description="The brand.", examples=["visa"])]
    customerEmail: Annotated[str | None, Field(examples=["ap@customer.example"])]
    customerName: str | None
    failureCode: Annotated[str | None, Field(description="The provider's.")]
    failureMessage: str | None
    paymentContext: PaymentContextObject
    paidAt: Time | None
    availableAt: Annotated[
        None, Field(description="Always null: when the provider pays out isn't known here.")
    ]
    createdAt: Annotated[Time, Field(examples=["2026-11-25T09:30:00.000Z"])]
    updatedAt: Annotated[Time, Field(examples=["2026-11-25T09:30:00.000Z"])]


def present_transaction(transaction: Transaction) -> TransactionObject:
    """The contract's transaction object."""
    method = transaction.payment_method
    invoiced = transaction.status in _PAID and not transaction.surplus
    return {
        "object": "transaction",
        "id": transaction.id,
        "livemode": transaction.mode == "live",
        "paymentId": transaction.payment_id,
        "invoiceId": invoice_id_for(transaction.payment_id) if invoiced else None,
        "status": transaction.status,
        "disputeStatus": transaction.dispute_status,
        "amountLost": transaction.amount_lost,
        "provider": "stripe",
        "grossAmount": transaction.amount_total,
        "subtotal": transaction.amount_subtotal,
        "taxAmount": transaction.tax_amount,
        "presentmentAmount": transaction.amount_total,
        "currency": transaction.currency,
        "paymentMethod": method.type if method else None,
        "subPaymentMethod": method.brand if method else None,
        "customerEmail": transaction.customer_email,
        "customerName": transaction.customer_name,
        "failureCode": transaction.failure_code,
        "failureMessage": transaction.failure_message,
        "paymentContext": {
            "reason": "one_time_payment",
            "paymentLinkId": transaction.payment_id if transaction.payment_kind == "link" else None,
            "recovery": None,
        },
        "paidAt": timestamp(transaction.paid_at),
        "availableAt": None,
        "createdAt": timestamp(transaction.created_at),
        "updatedAt": timestamp(transaction.updated_at),
    }


class CreateRefund(BaseModel):
    """The body of a refund, which may be left out. Unknown members are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    amount: Annotated[
        int | None,
        Field(
            gt=0,
            description="Minor units of the transaction's currency, tax included. Left out, all "
            "that has not been refunded yet.",
            examples=[1500],
        ),
    ] = None
    reason: Annotated[
        str | None,
        Field(
            max_length=500,
            description="Kept with the refund. The provider is told `duplicate`, `fraudulent` and "
            "`requested_by_customer`.",
            examples=["requested_by_customer"],
        ),
    ] = None


class RefundObject(TypedDict):
    """Money that goes back to the buyer."""

    object: Literal["refund"]
    id: Annotated[str, Field(examples=["ref_1pNcV8sYbGdQ4KmXzT7wLh"])]
    livemode: bool
    transactionId: Annotated[str, Field(examples=["txn_6bTq0RkXw2LmZsV9hJcFyD"])]
    amount: Annotated[int, Field(description="Minor units, tax included.", examples=[1500])]
    currency: Annotated[str, Field(description="ISO 4217, lower case.", examples=["eur"])]
    chargeId: Annotated[str | None, Field(description="The provider's.")]
    status: Annotated[
        RefundStatus,
        Field(
            description="One that is `pending`, and even one that `succeeded`, can still fail: the "
            "payment's `amountRefunded` is then lower again.",
            examples=["succeeded"],
        ),
    ]
    reason: str | None
    createdAt: Annotated[Time, Field(examples=["2026-11-25T09:30:00.000Z"])]


def new_refund(body: dict[str, Any]) -> NewRefund:
    """The validated request; raises ValidationError."""
    fields = validated(CreateRefund, body)
    return NewRefund(fields.amount, fields.reason)


def present_refund(refund: Refund, transaction: Transaction) -> RefundObject:
    """The contract's refund object."""
    return {
        "object": "refund",
        "id": refund.id,
        "livemode": transaction.mode == "live",
        "transactionId": transaction.id,
        "amount": refund.amount,
        "currency": transaction.currency,
        "chargeId": refund.charge_id,
        "status": refund.status,
        "reason": refund.reason,
        "createdAt": timestamp(refund.created_at),
    }


GET = Operation("Get a transaction", TransactionObject, errors=(TransactionNotFoundError,))
LIST = Operation(
    "List transactions",
    TransactionObject,
    listed=True,
    query={
        "status": TransactionStatus,
        "customerEmail": Annotated[
            str, Field(description="Only of buyers with this e-mail address, in any case.")
        ],
    },
)
REFUND = Operation(
    summary="Refund a transaction",
    description="All of it, or a part. More than is left is refused, with what is left in the "
    "message; one that went back in full is a `duplicate`; one that the buyer's bank disputes, or "
    "took back, is `provider_unsupported`.",
    request=CreateRefund,
    response=RefundObject,
    status=201,
    errors=(
        TransactionNotFoundError,
        DuplicateError,
        ProviderUnsupportedError,
        ProviderUnavailableError,
    ),
)
