"""The request that charges a customer's vaulted payment method."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from paylink.domain.errors import (
    ChargeInProgressError,
    CustomerNotFoundError,
    NoPaymentMethodError,
    PaymentFailedError,
    ProviderUnavailableError,
)
from paylink.domain.money import currency_named
from paylink.http.operation import Operation
from paylink.http.schemas.payments import PaymentObject, PaymentRequest
from paylink.http.schemas.validation import validated
from paylink.services.charge_payment import NewCharge


class ChargePayment(PaymentRequest):
    """The body of ``POST /payments/charge``."""

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
