"""Customers and the payment methods that were vaulted for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from paylink.domain.ids import derived_id
from paylink.domain.organization import Address, Mode

OUR_IDS = "cus_"
"""How our own ids begin, and a caller's never do."""


@dataclass(frozen=True)
class Customer:
    """Somebody who pays one organization in one mode."""

    id: str
    organization_id: str
    mode: Mode
    created_at: datetime
    updated_at: datetime
    email: str | None = None
    external_id: str | None = None
    """The caller's own id; shown instead of ours wherever there is one."""
    full_name: str | None = None
    address: Address | None = None
    tax_ids: tuple[str, ...] = ()
    provider_customer_id: str | None = None
    default_payment_method: str | None = None
    """Key of the vaulted method that off-session charges use."""
    time_zone: str | None = None
    metadata: Mapping[str, Any] | None = None
    """Any JSON object of the caller's."""
    provider_generation: int = 0
    """How many customers the provider was asked for before the present one."""
    provider_stale: bool = False
    """A change was on its way to the provider's customer: it may know more, or less, than we do."""
    methods_since: datetime | None = None
    """What was vaulted before then is gone, with the customer that the provider had."""
    erasing_since: datetime | None = None
    """Somebody asked to forget this customer: nobody but that request finds them any more."""
    erased_at: datetime | None = None
    """When nothing personal was left."""
    version: int = 0

    @property
    def public_id(self) -> str:
        return self.external_id or self.id

    @property
    def tax_document(self) -> str | None:
        """The number under which the customer is registered for tax, as given by the caller or,
        where the caller gave none, by the buyer at checkout."""
        return self.tax_ids[0] if self.tax_ids else None

    def has_since(self, vaulted_at: datetime) -> bool:
        """Whether a method that was vaulted then is still there."""
        return self.methods_since is None or self.methods_since <= vaulted_at

    def without_provider_customer(self, now: datetime) -> Customer:
        """The customer once the provider's is gone, and with it all that was vaulted there."""
        return replace(
            self,
            provider_customer_id=None,
            provider_generation=self.provider_generation + 1,
            provider_stale=False,
            default_payment_method=None,
            methods_since=now,
        )

    def with_provider_state_of(self, other: Customer) -> Customer:
        """This customer with what another state of the same one says about the provider's."""
        return replace(
            self,
            provider_customer_id=other.provider_customer_id,
            provider_generation=other.provider_generation,
            provider_stale=other.provider_stale,
            default_payment_method=other.default_payment_method,
            methods_since=other.methods_since,
        )


@dataclass(frozen=True)
class PaymentMethod:
    """A vaulted card or bank account; the number itself only ever lives at the provider."""

    key: str
    """The card's fingerprint at the provider, so that one card used twice is one item."""
    provider_id: str
    type: str
    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    reusable: bool = False

    @property
    def label(self) -> str:
        """``Visa •••• 4242``, as pages and invoices print it."""
        name = (self.brand or self.type).replace("_", " ").title()
        return f"{name} •••• {self.last4}" if self.last4 else name


@dataclass(frozen=True)
class VaultedMethod:
    """A payment method as one customer has it: once, under every id that the provider gave it."""

    id: str
    """Ours: follows from the customer and the key, and says nothing about either."""
    mode: Mode
    method: PaymentMethod
    provider_ids: frozenset[str]
    vaulted_at: datetime
    default: bool
    """Whether off-session charges use it."""


def vaulted(
    customer: Customer, method: PaymentMethod, provider_ids: Iterable[str], vaulted_at: datetime
) -> VaultedMethod:
    return VaultedMethod(
        id=derived_id("pm", customer.organization_id, customer.mode, customer.id, method.key),
        mode=customer.mode,
        method=method,
        provider_ids=frozenset(provider_ids),
        vaulted_at=vaulted_at,
        default=method.key == customer.default_payment_method,
    )


@dataclass(frozen=True)
class Buyer:
    """Who paid, as the provider collected it at checkout; the invoice keeps a copy."""

    email: str | None = None
    name: str | None = None
    address: Address = field(default_factory=Address)
    tax_ids: tuple[str, ...] = ()

    def fill(self, customer: Customer) -> Customer:
        """The customer with what was unknown taken from the checkout; nothing is overwritten."""
        return replace(
            customer,
            email=customer.email or self.email,
            full_name=customer.full_name or self.name,
            address=customer.address or (self.address if self.address != Address() else None),
            tax_ids=customer.tax_ids or self.tax_ids,
        )
