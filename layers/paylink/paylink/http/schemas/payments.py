"""Payments: the request that makes a link, and the payment as callers see it."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated, Any, Literal, TypedDict, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from paylink.domain.errors import (
    CustomerNotFoundError,
    FieldProblem,
    PaymentNotCancelableError,
    PaymentNotFoundError,
    ProviderUnavailableError,
    TaxCalculationError,
    ValidationError,
)
from paylink.domain.money import CURRENCIES, currency_named
from paylink.domain.organization import Mode
from paylink.domain.payment import (
    CancellationReason,
    DisputeStatus,
    Kind,
    Payment,
    Status,
)
from paylink.domain.tax import TaxStatus
from paylink.http.envelope import timestamp
from paylink.http.operation import Operation
from paylink.http.schemas.validation import legible, validated
from paylink.services.create_payment import NewLink

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\.?$)(?:{_LABEL}\.)+{_LABEL}\.?", re.ASCII)
_ZONED = re.compile(r".*(Z|[+-]\d{2}:?\d{2})", re.ASCII)

STATUSES: tuple[str, ...] = get_args(Status)

QrFormat = Literal["svg", "png"]
DEFAULT_QR, SMALLEST_QR, LARGEST_QR = 300, 100, 2000

MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=40)]
MetadataValue = Annotated[str, StringConstraints(max_length=500)]


def known_currencies(schema: dict[str, Any]) -> None:
    """For the reference: the currencies one by one instead of any three characters."""
    del schema["minLength"], schema["maxLength"]
    schema |= {"enum": sorted(CURRENCIES), "x-name": "Currency"}


class PaymentRequest(BaseModel):
    """What every request for money says. Unknown members are refused: they are nearly always
    typos."""

    model_config = ConfigDict(extra="forbid", strict=True)

    amount: Annotated[
        int,
        Field(
            gt=0,
            description="Minor units of the currency (cents, for most), before tax unless the "
            "seller's prices include it. Each currency has a smallest and a largest "
            "amount, which the answer names.",
            examples=[4900],
        ),
    ]
    currency: Annotated[
        str,
        StringConstraints(min_length=3, max_length=3),
        Field(
            description="ISO 4217, in any case; answered in lower case.",
            examples=["eur"],
            json_schema_extra=known_currencies,
        ),
    ]
    description: Annotated[
        str,
        StringConstraints(min_length=1, max_length=500),
        Field(
            description="What is paid for: shown to the buyer, and on invoice and receipt. Text"
            " that can be seen, without control characters or overrides of direction.",
            examples=["Consulting, one hour"],
            json_schema_extra={"pattern": r"\S"},
        ),
    ]
    metadata: Annotated[
        dict[MetadataKey, MetadataValue] | None,
        Field(
            max_length=50,
            description="Yours to use; given back as it is.",
            examples=[{"order": "1017"}],
        ),
    ] = None

    @field_validator("description")
    @classmethod
    def _legible(cls, value: str) -> str:
        return legible(value)


class CreatePayment(PaymentRequest):
    """The body of ``POST /payments``."""

    customer_id: Annotated[
        str | None,
        Field(
            alias="customerId",
            min_length=1,
            max_length=255,
            description="`cus_…`, or your own id of the customer. Left out, the buyer is a guest "
            "and becomes a customer of their own.",
        ),
    ] = None
    success_url: Annotated[
        str | None,
        Field(
            alias="successUrl",
            max_length=2048,
            description="Where the buyer goes after paying, an absolute https URL (a sandbox key "
            "also takes http on localhost). Opening it proves nothing: ask for the payment.",
            examples=["https://shop.example.com/thanks?order=1017"],
            json_schema_extra={"format": "uri"},
        ),
    ] = None
    expires_at: Annotated[
        str | None,
        Field(
            alias="expiresAt",
            max_length=40,
            description="When the link ends: 30 minutes to a year from now, ISO 8601 with a zone. "
            "Left out, after the deployment's usual number of days.",
            json_schema_extra={"format": "date-time"},
        ),
    ] = None


def new_link(body: dict[str, Any], mode: Mode) -> NewLink:
    """The validated request; ValidationError for the first thing that the contract refuses."""
    fields = validated(CreatePayment, body)
    currency = currency_named(fields.currency)
    currency.check(fields.amount)
    if fields.success_url is not None:
        _check_url(fields.success_url, mode)
    return NewLink(
        amount=fields.amount,
        currency=currency.code,
        description=fields.description,
        customer=fields.customer_id,
        success_url=fields.success_url,
        metadata=fields.metadata,
        expires_at=_expiry(fields.expires_at) if fields.expires_at is not None else None,
    )


def _check_url(url: str, mode: Mode) -> None:
    """An absolute https URL without anything that browsers and parsers read differently."""
    problem = FieldProblem("successUrl", "It must be an absolute https URL.")
    if any(c == "\\" or c.isspace() or unicodedata.category(c)[0] in "CZ" for c in url):
        raise ValidationError([problem])
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port  # raises for one that is no port
    except ValueError:
        raise ValidationError([problem]) from None
    local_host = host in _LOCAL_HOSTS
    named = _HOST.fullmatch(host) or local_host or _is_address(host)
    if not named or port == 0 or "@" in parts.netloc:
        raise ValidationError([problem])
    local = parts.scheme == "http" and local_host and mode == "sandbox"
    if parts.scheme != "https" and not local:
        raise ValidationError([problem])


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _expiry(text: str) -> datetime:
    text = text.upper()
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None and _ZONED.fullmatch(text):
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValidationError.of("expiresAt", "It must be an ISO 8601 time with a zone.")


Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class PaymentObject(TypedDict):
    """A payment: a link for a buyer, or a charge of a card on file. Amounts are integers in minor
    units of the currency, and `amountSubtotal + taxAmount = amountTotal` always."""

    object: Literal["payment"]
    id: Annotated[str, Field(examples=["pay_2f9QmZrX4tBvLsW8kYcNhD"])]
    livemode: Annotated[bool, Field(description="False in the sandbox.")]
    kind: Annotated[Kind, Field(description="A link to be paid, or a charge of a saved card.")]
    status: Annotated[
        Status,
        Field(
            description="`succeeded` is final. A link that `failed` or `requires_action` can be "
            "paid again until it expires.",
            examples=["pending"],
        ),
    ]
    provider: Literal["stripe"]
    customerId: Annotated[
        str | None,
        Field(description="Your own id of the customer if there is one, else `cus_…`."),
    ]
    amountSubtotal: Annotated[int, Field(description="Before tax.", examples=[4900])]
    taxAmount: Annotated[int, Field(examples=[0])]
    amountTotal: Annotated[int, Field(description="What the buyer pays.", examples=[4900])]
    taxStatus: Annotated[
        TaxStatus,
        Field(
            description="`pending` until the buyer's address is known, and `taxAmount` is 0 until "
            "then; `not_collecting` where the seller is not registered, or collects no tax."
        ),
    ]
    amountRefunded: Annotated[int, Field(examples=[0])]
    amountLost: Annotated[
        int, Field(description="What the buyer's bank took back for good.", examples=[0])
    ]
    disputeStatus: Annotated[
        DisputeStatus | None,
        Field(
            description="`open` while the buyer's bank disputes the payment, then `won` or `lost`; "
            "null if it never did."
        ),
    ]
    currency: Annotated[str, Field(description="ISO 4217, lower case.", examples=["eur"])]
    description: Annotated[str, Field(examples=["Consulting, one hour"])]
    metadata: Annotated[dict[str, str] | None, Field(examples=[{"order": "1017"}])]
    url: Annotated[
        str | None,
        Field(
            description="The link; null for a charge.",
            examples=["https://pay.example.com/pay/pay_2f9QmZrX4tBvLsW8kYcNhD"],
        ),
    ]
    expiresAt: Annotated[Time | None, Field(examples=["2027-01-31T18:00:00.000Z"])]
    cancellationReason: CancellationReason | None
    invoiceId: Annotated[str | None, Field(description="Once it is paid and issued.")]
    failureCode: Annotated[
        str | None, Field(description="The provider's code of the last failed attempt.")
    ]
    failureMessage: str | None
    paidAt: Time | None
    createdAt: Annotated[Time, Field(examples=["2026-11-25T09:30:00.000Z"])]
    updatedAt: Annotated[Time, Field(examples=["2026-11-25T09:30:00.000Z"])]


def present_payment(payment: Payment) -> PaymentObject:
    """The contract's payment object."""
    return {
        "object": "payment",
        "id": payment.id,
        "livemode": payment.mode == "live",
        "kind": payment.kind,
        "status": payment.status,
        "provider": "stripe",
        "customerId": payment.customer_public_id,
        "amountSubtotal": payment.amount_subtotal,
        "taxAmount": payment.tax_amount,
        "amountTotal": payment.amount_total,
        "taxStatus": payment.tax_status,
        "amountRefunded": payment.amount_refunded,
        "amountLost": payment.amount_lost(payment.paid_by_transaction),
        "disputeStatus": payment.dispute_status(payment.paid_by_transaction),
        "currency": payment.currency,
        "description": payment.description,
        "metadata": dict(payment.metadata) if payment.metadata else None,
        "url": payment.url,
        "expiresAt": timestamp(payment.expires_at),
        "cancellationReason": payment.cancellation_reason,
        "invoiceId": payment.invoice_id,
        "failureCode": payment.failure_code,
        "failureMessage": payment.failure_message,
        "paidAt": timestamp(payment.paid_at),
        "createdAt": timestamp(payment.created_at),
        "updatedAt": timestamp(payment.updated_at),
    }


CREATE = Operation(
    summary="Make a payment link",
    description="Send the buyer the `url` of the answer, or redirect them to it.",
    request=CreatePayment,
    response=PaymentObject,
    status=201,
    errors=(CustomerNotFoundError, TaxCalculationError, ProviderUnavailableError),
)
GET = Operation("Get a payment", PaymentObject, errors=(PaymentNotFoundError,))
LIST = Operation(
    "List payments",
    PaymentObject,
    listed=True,
    query={
        "customerId": Annotated[
            str, Field(description="Only this customer's: `cus_…`, or your own id.")
        ],
        "status": Status,
    },
)
QR = Operation(
    summary="Get the QR code of a payment link",
    description="For print, a till's screen or an e-mail: whoever scans it gets to the link. A "
    "charge has none.",
    response=bytes,
    query={
        "format": Annotated[
            QrFormat,
            Field(description="Without it, PNG where `accept` asks for `image/png`, else SVG."),
        ],
        "size": Annotated[
            int,
            Field(
                ge=SMALLEST_QR,
                le=LARGEST_QR,
                description=f"The side in pixels, {DEFAULT_QR} by default. A PNG is as much "
                "smaller as it takes to make every module the same number of pixels.",
            ),
        ],
    },
    errors=(PaymentNotFoundError,),
    files=("image/svg+xml", "image/png"),
)
CANCEL = Operation(
    summary="Cancel a payment link",
    description="Nobody can pay it any more. One that is canceled already stays as it is.",
    response=PaymentObject,
    errors=(PaymentNotFoundError, PaymentNotCancelableError, ProviderUnavailableError),
)
