"""Payment methods as callers see them."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from pydantic import Field

from paylink.domain.customer import VaultedMethod
from paylink.domain.errors import (
    CustomerNotFoundError,
    PaymentMethodNotFoundError,
    ProviderUnavailableError,
)
from paylink.http.operation import Operation


class PaymentMethodObject(TypedDict):
    """A card or bank account that charges can use; its number is at the provider only."""

    object: Literal["payment_method"]
    id: Annotated[str, Field(description="Ours, `pm_…`; the same card keeps it.")]
    livemode: bool
    type: Annotated[str, Field(description="`card`, `sepa_debit` and so on.")]
    brand: str | None
    last4: str | None
    expMonth: int | None
    expYear: int | None
    default: Annotated[bool, Field(description="Whether charges use it.")]


class RemovedPaymentMethodObject(TypedDict):
    """What is left of a payment method."""

    object: Literal["payment_method"]
    id: str
    livemode: bool
    deleted: Literal[True]


def present_payment_method(vaulted: VaultedMethod) -> PaymentMethodObject:
    method = vaulted.method
    return {
        "object": "payment_method",
        "id": vaulted.id,
        "livemode": vaulted.mode == "live",
        "type": method.type,
        "brand": method.brand,
        "last4": method.last4,
        "expMonth": method.exp_month,
        "expYear": method.exp_year,
        "default": vaulted.default,
    }


def present_removed_payment_method(vaulted: VaultedMethod) -> RemovedPaymentMethodObject:
    return {
        "object": "payment_method",
        "id": vaulted.id,
        "livemode": vaulted.mode == "live",
        "deleted": True,
    }


LIST = Operation(
    "List a customer's payment methods",
    PaymentMethodObject,
    listed=True,
    errors=(CustomerNotFoundError,),
)
REMOVE = Operation(
    summary="Remove a payment method",
    description="Here and at the provider: it can't be charged any more.",
    response=RemovedPaymentMethodObject,
    errors=(CustomerNotFoundError, PaymentMethodNotFoundError, ProviderUnavailableError),
)
