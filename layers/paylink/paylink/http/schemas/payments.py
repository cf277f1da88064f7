"""Payments: the request that makes a link, and the payment as callers see it."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from paylink.domain.errors import FieldProblem, ValidationError
from paylink.domain.money import currency_named
from paylink.domain.organization import Mode
from paylink.domain.payment import Payment, Status
from paylink.http.envelope import timestamp
from paylink.http.schemas.validation import validated
from paylink.services.create_payment import NewLink

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_ZONED = re.compile(r".*(Z|[+-]\d{2}:?\d{2})", re.ASCII)

STATUSES: tuple[str, ...] = get_args(Status)

MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=40)]
MetadataValue = Annotated[str, StringConstraints(max_length=500)]


class CreatePayment(BaseModel):
    """The body of ``POST /payments``. Unknown members are refused: they are nearly always typos."""

    model_config = ConfigDict(extra="forbid", strict=True)

    amount: Annotated[int, Field(gt=0)]
    """Minor units of the currency, before tax."""
    currency: Annotated[str, StringConstraints(min_length=3, max_length=3)]
    description: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    customer_id: Annotated[str | None, Field(alias="customerId", min_length=1, max_length=255)] = (
        None
    )
    success_url: Annotated[str | None, Field(alias="successUrl", max_length=2048)] = None
    metadata: Annotated[dict[MetadataKey, MetadataValue] | None, Field(max_length=50)] = None
    expires_at: Annotated[str | None, Field(alias="expiresAt", max_length=40)] = None

    @field_validator("description")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("It must not be blank.")
        return value


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
        host = parts.hostname
        _ = parts.port  # raises for one that is no port
    except ValueError:
        raise ValidationError([problem]) from None
    if not host or "@" in parts.netloc:
        raise ValidationError([problem])
    local = parts.scheme == "http" and host in _LOCAL_HOSTS and mode == "sandbox"
    if parts.scheme != "https" and not local:
        raise ValidationError([problem])


def _expiry(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None and _ZONED.fullmatch(text):
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValidationError.of("expiresAt", "It must be an ISO 8601 time with a zone.")


def present_payment(payment: Payment) -> dict[str, Any]:
    """The contract's payment object; amounts in minor units."""
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
