"""The request that charges a customer's vaulted payment method."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from paylink.domain.errors import (
    ChargeInProgressError,
    CustomerNotFoundError,
    NoPaymentMethodError,
    PaymentFailedError,
    ProviderUnavailableError,
)
from paylink.domain.money import currency_named
from paylink.http.operation import Operation
from paylink.http.schemas.payments import (
    MetadataKey,
    MetadataValue,
    PaymentObject,
    known_currencies,
)
from paylink.http.schemas.validation import legible, validated
from paylink.services.charge_payment import NewCharge


class ChargePayment(BaseModel):
    """The body of ``POST /payments/charge``. Unknown members are refused, as for links."""

    model_config = ConfigDict(extra="forbid", strict=True)

    customer_id: Annotated[
        str,
        Field(
            alias="customerId",
            min_length=1,
            max_length=255,
            description="`cus_…`, or your own id of the customer, who has paid by a link before.",
            examples=["cus_2f9QmZrX4tBvLsW8kYcNhD"],
        ),
    ]
    amount: Annotated[
        int,
        Field(
            gt=0,
            description="Minor units of the currency (cents, for most), before tax. Each currency "
            "has a smallest and a largest amount, which the answer names.",
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
            description="What is paid for: shown on the invoice and the receipt. Text that can be"
            " seen, without control characters or overrides of direction.",
            examples=["Support, November"],
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


def new_charge(body: dict[str, Any]) -> NewCharge:
    """The validated request; ValidationError for what the contract refuses."""
    fields = validated(ChargePayment, body)
    currency = currency_named(fields.currency)
    currency.check(fields.amount)
    return NewCharge(
        customer=fields.customer_id,
        amount=fields.amount,
        currency=currency.code,
        description=fields.description,
        metadata=fields.metadata,
    )


CHARGE = Operation(
    summary="Charge a saved payment method",
    description="Takes the money at once from what the customer last paid a link with, without the "
    "buyer being there. Tax is added, and an invoice follows, as for links. A failed charge leaves "
    "nothing open: `details` of the error name the payment and the provider's code.",
    request=ChargePayment,
    response=PaymentObject,
    status=201,
    errors=(
        CustomerNotFoundError,
        NoPaymentMethodError,
        ChargeInProgressError,
        PaymentFailedError,
        ProviderUnavailableError,
    ),
)
